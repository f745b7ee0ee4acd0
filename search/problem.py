"""Problem, Recipe, Trial: what may be chosen, one candidate, and what became of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hwmodels.base import METRICS

Value = float | int | str
Point = tuple[int, ...]
"""A recipe as one index per variable; index 0 leaves the site as it is."""


class SearchError(Exception):
    """The search could not be set up or carried out."""


class BadRecipe(SearchError):
    """A recipe names a method, site or value that the problem doesn't have."""


@dataclass(frozen=True)
class Step:
    """One method with the choice made at each site that it changes."""

    method: str
    choices: Mapping[str, Value]
    settings: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """Methods in order, each with its choices: one candidate. Plain JSON, hand-editable, replayable.

    `training` says how finalists get there (`schedule`, `recovery`, `settings`); without it as the request says.
    """

    steps: tuple[Step, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        steps = [
            {"method": s.method, "choices": dict(s.choices)} | ({"settings": dict(s.settings)} if s.settings else {})
            for s in self.steps
        ]
        return {"steps": steps} | ({"training": dict(self.training)} if self.training else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Recipe:
        steps = (Step(s["method"], dict(s["choices"]), dict(s.get("settings", {}))) for s in data["steps"])
        return cls(tuple(steps), dict(data.get("training", {})))

    @property
    def key(self) -> str:
        """Content hash, the same for equal recipes."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Variable:
    """One thing to choose: a method's value at a site. `values[0]` leaves the site as it is."""

    method: str
    site: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Limit:
    """At most `value` (seconds, joules, bytes or MACs) of a metric; `text` is what the user wrote."""

    metric: str
    value: float
    text: str = ""

    @property
    def figure(self) -> str:
        """The Cost figure that it is held against (`latency_s`, ...)."""
        return METRICS[self.metric]


@dataclass(frozen=True)
class Problem:
    """Space, limits, effort and seed: everything that a Strategy is built from."""

    variables: tuple[Variable, ...]
    limits: tuple[Limit, ...] = ()
    evaluations: int = 40
    seed: int = 0

    def recipe(self, point: Sequence[int]) -> Recipe:
        """The recipe that a point stands for; methods in the order of the variables."""
        steps: dict[str, dict[str, Value]] = {}
        for variable, index in zip(self.variables, point, strict=True):
            if index:
                steps.setdefault(variable.method, {})[variable.site] = variable.values[index]
        return Recipe(tuple(Step(method, choices) for method, choices in steps.items()))

    def point(self, recipe: Recipe) -> Point:
        """The inverse of `recipe`. Raises BadRecipe for what the space doesn't have."""
        chosen = {(s.method, site): value for s in recipe.steps for site, value in s.choices.items()}
        point = []
        for v in self.variables:
            value = chosen.pop((v.method, v.site), v.values[0])
            if value not in v.values:
                raise BadRecipe(f"{v.method} at {v.site} can't be {value!r}; it may be one of {list(v.values)}")
            point.append(v.values.index(value))
        if chosen:
            method, site = next(iter(chosen))
            raise BadRecipe(f"{method} has no site {site} in this model")
        return tuple(point)


class TrialState(StrEnum):
    """QUEUED -> RUNNING -> one of the rest. INFEASIBLE: a limit is broken; FAILED: it could not be evaluated."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    INFEASIBLE = "infeasible"
    FAILED = "failed"


@dataclass(frozen=True)
class Trial:
    """A recipe with its number and, later, its costs (Cost JSON), quality (higher is better) or error.

    `quality` holds `score`, the same again as `accuracy`, `fit` or `agreement`, `loss` and `samples`; `costs` maps
    figure names to `{value, source, error}`; `origin` says who proposed it (untouched, uniform, plan, the strategy's
    name).
    """

    number: int
    recipe: Recipe
    state: TrialState = TrialState.QUEUED
    origin: str = ""
    costs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    quality: Mapping[str, float] = field(default_factory=dict)
    error: str = ""

    @property
    def score(self) -> float:
        """What is maximised: accuracy or fit to the labels, agreement with the original where there are none."""
        return self.quality.get("score", float("-inf"))

    def cost(self, figure: str) -> float:
        """Upper end of the figure's error bar: what limits are held against."""
        entry = self.costs[figure]
        return float(entry["value"]) * (1.0 + float(entry.get("error", 0.0)))

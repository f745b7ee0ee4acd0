"""ADMM: training with a pull towards the nearest weights that have the wanted forms, which the pull makes exact.

The alternating direction method of multipliers on `min loss(W) with W = Z, Z in the set of the forms`: train with
`rho / 2 * ||W - Z + U||^2` added (L step), project `Z = project(W + U)` (C step), then `U += W - Z`. Without duals it
is the quadratic-penalty form of the learning-compression algorithm.

The added term is taken by its proximal step, after each step of the optimiser: `W += step * (Z - U - W)` with
`step = rate * rho / (1 + rate * rho)`. That holds for any optimiser and any strength, where the term's gradient would
overshoot, or drown in Adam's scaling.

Its strength is given for the stretch from one update to the next, so that the way is the same over few steps and many.
An L step this short goes only a share of the way to its minimum, and the dual grows by that share of `W - Z`; by all
of it, small weights would pile up in `U` and push large ones out of `Z` before the pull has moved anything.

References: Zhang et al., "A systematic DNN weight pruning framework using ADMM", 2018, arXiv 1804.03294; Leng et al.,
"Extremely low bit neural network: squeeze the last bit out with ADMM", 2018, arXiv 1707.09870; Carreira-Perpinan and
Idelbayev, "Model compression as constrained optimization", 2017, arXiv 1707.01209 and 1707.04319 (growing rho).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from methods.base import Data, Recovery
from methods.graph.ir import Graph
from methods.recovery.fine_tuning import FineTuning
from methods.recovery.schedule import Target, divided, training_recovery
from methods.recovery.training import Extras, require

GROWING = 0.8
"""Share of the updates over which the pull grows; over the others it stays at its end, where weights settle."""


@dataclass(frozen=True)
class Admm:
    """Any form, by its projection alone; ends with the forms applied and recovered under.

    Attributes:
        recovery: must train. share: of its epochs, for the way to the forms.
        pull, last_pull: at the start and at the end, the share of the way to where they shall be that the weights are
            taken from one update to the next; it grows by a constant factor.
        updates: how often `Z` and `U` are renewed. duals: whether there is a `U` (else it stays 0).
        on_residual: told `||W - Z|| / ||W||` after each update.
    """

    recovery: Recovery = field(default_factory=FineTuning)
    share: float = 0.4
    pull: float = 0.02
    last_pull: float = 0.6
    updates: int = 50
    duals: bool = True
    on_residual: Callable[[float], None] | None = field(default=None, compare=False, repr=False)
    name: str = "admm"
    full_weights: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Raises MethodError for a setting that can't be."""
        require("share", 0 < self.share < 1, "between 0 and 1")
        require("pull", 0 < self.pull <= self.last_pull < 1, "above 0 and at most last_pull, which must be below 1")
        require("updates", self.updates >= 1, "at least 1")
        training_recovery(self.name, self.recovery)

    def reach(self, graph: Graph, teacher: Graph, data: Data, seed: int, target: Target) -> Graph:
        """The graph under its forms. With fewer than two epochs there is no way to walk, and it is one-shot."""
        recovery = training_recovery(self.name, self.recovery)
        way, under = divided(recovery.epochs, self.share)
        if way:
            pull = Pull(target, graph, self, way * recovery.steps(len(data)))
            graph = recovery.lasting(way).trained(graph, teacher, data, seed, pull.extras)
        return recovery.lasting(under).recover(target.apply(graph), teacher, data, seed + 1)


class Pull:
    """The variables of one run: for each parameter its point `Z` and its scaled dual `U`."""

    def __init__(self, target: Target, graph: Graph, settings: Admm, steps: int) -> None:
        self.target, self.settings = target, settings
        self.every = max(1, steps // settings.updates)
        self.factor = (settings.last_pull / settings.pull) ** (self.every / (GROWING * steps))
        self.points = {name: point.clone() for name, point in target.project(graph).items()}
        self.duals = {name: torch.zeros_like(point) for name, point in self.points.items()}
        self.pull = torch.tensor(settings.pull, dtype=torch.float64)

    @property
    def extras(self) -> Extras:
        """What joins the training; the last weights count, not those of the lowest loss."""
        carried = {f"point {n}": t for n, t in self.points.items()} | {f"dual {n}": t for n, t in self.duals.items()}
        return Extras(after_step=(self.after_step,), carried=carried | {"pull": self.pull}, keep_last=True)

    def after_step(self, graph: Graph, step: int) -> None:
        """Pulls the weights, and every so many steps renews where to."""
        share = self.share(float(self.pull))
        for name, point in self.points.items():
            graph.tensor(name).lerp_(point - self.duals[name], share)
        if step % self.every == 0 and self.points:
            self.renew(graph)

    def renew(self, graph: Graph) -> None:
        """Projects anew, moves the duals and strengthens the pull; the duals, in units of 1 / rho, shrink with it."""
        found, before = self.projected(graph), float(self.pull)
        self.pull.mul_(self.factor).clamp_(max=self.settings.last_pull)
        shrunk = self.rho(before) / self.rho(float(self.pull))
        for name, dual in self.duals.items():
            self.points[name].copy_(found[name])
            if self.settings.duals:
                dual.add_(graph.tensor(name) - found[name], alpha=before).mul_(shrunk)
        if self.settings.on_residual:
            self.settings.on_residual(self.residual(graph))

    def rho(self, pull: float) -> float:
        """The `rho` of a pull, in units of 1 / rate."""
        share = self.share(pull)
        return share / (1 - share)

    def share(self, pull: float) -> float:
        """What a single step takes of the way, so that all from one update to the next take `pull` of it."""
        return 1.0 - float((1 - pull) ** (1 / self.every))

    def projected(self, graph: Graph) -> dict[str, Tensor]:
        """The nearest allowed weights to `W + U`; the graph's weights are back afterwards."""
        before = {name: graph.tensor(name).clone() for name in self.duals}
        for name, dual in self.duals.items():
            graph.tensor(name).add_(dual)
        try:
            return self.target.project(graph)
        finally:
            for name, weight in before.items():
                graph.tensor(name).copy_(weight)

    def residual(self, graph: Graph) -> float:
        """`||W - Z|| / ||W||` over all parameters together."""
        lacking = sum(float((graph.tensor(n) - z).double().square().sum()) for n, z in self.points.items())
        whole = sum(float(graph.tensor(n).double().square().sum()) for n in self.points)
        return float((lacking / max(whole, 1e-30)) ** 0.5)

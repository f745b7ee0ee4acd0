"""Recipes as people write them, made explicit: published names become their parts, patterns of sites become sites."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from hwmodels.device import Device
from methods.base import Value
from methods.catalogue import METHODS, check_order
from methods.graph.ir import Graph
from methods.graph.ops import kind_of
from methods.graph.sites import sites_of
from methods.published.catalogue import PUBLISHED
from methods.published.row import Part, Published
from methods.recovery.catalogue import schedule_of
from search.candidates import configured
from search.problem import BadRecipe, Recipe, Step

Document = Mapping[str, Any]


def expanded(document: Document, graph: Graph, device: Device) -> Recipe:
    """The recipe that a document stands for, for one network on one device.

    Raises BadRecipe, and MethodError for methods in a wrong order or training that can't be.

    A step names a method with `choices`, site -> value, or a published system, whose parts are taken at every site
    where they fit; `settings` of a published system may give one of its methods another value. A site may be a pattern
    (`weight:fc*`).
    """
    steps: list[Step] = []
    training: dict[str, Any] = {}
    for step in document.get("steps", ()):
        name = str(step.get("method"))
        if name in METHODS and (step.get("choices") or name not in PUBLISHED):
            steps.append(_step(step, graph))
        else:
            system = published(name)
            steps += _parts(system, step, graph, device)
            training = _training(system) | training
    check_order([step.method for step in steps])
    for step in steps:
        configured(step)
    training |= {name: value for name, value in (document.get("training") or {}).items() if value}
    if training:
        schedule_of(training)
    return Recipe(tuple(steps), training)


def published(name: str) -> Published:
    """The published system of that name. Raises BadRecipe with the nearest names there are."""
    if name not in PUBLISHED:
        near = difflib.get_close_matches(name.lower(), [*METHODS, *PUBLISHED], 3)
        there = f"did you mean {', '.join(near)}?" if near else "`fitwright methods` lists them"
        raise BadRecipe(f"there is no method or published system {name!r}; {there}")
    return PUBLISHED[name]


def _step(step: Document, graph: Graph) -> Step:
    name, choices = str(step["method"]), dict(step.get("choices") or {})
    if not choices:
        raise BadRecipe(f'{name} has no choices in the recipe: say what is chosen where, such as {{"weight:*": ...}}')
    found: dict[str, Value] = {}
    for pattern, value in choices.items():
        found |= {site: value for site in _matching(name, pattern, graph)}
    return Step(name, found, dict(step.get("settings") or {}))


def _matching(method: str, pattern: str, graph: Graph) -> Sequence[str]:
    """The sites that a pattern means; a name without wildcards is itself, for the method to check."""
    if not any(sign in pattern for sign in "*?["):
        return [pattern]
    kind = pattern.partition(":")[0]
    sites = [site for site in _ordered(sites_of(graph, kind)) if fnmatchcase(site, pattern)]
    sites = [site for site in sites if site.startswith(kind)]
    if not sites:
        raise BadRecipe(f"no site of this model is like {pattern!r} for {method}; `fitwright inspect` lists its sites")
    return sites


def _ordered(sites: Iterable[str]) -> list[str]:
    return list(sites) if isinstance(sites, Mapping) else sorted(sites)


def _parts(system: Published, step: Document, graph: Graph, device: Device) -> list[Step]:
    """The steps of a published system. Raises BadRecipe for settings that it doesn't have, or where nothing fits."""
    settings = dict(step.get("settings") or {})
    unknown = [name for name in settings if name not in {part.method for part in system.parts}]
    if unknown or step.get("choices"):
        names = ", ".join(part.method for part in system.parts)
        raise BadRecipe(f"{system.id} takes settings for its methods ({names}) and no choices; write its steps out")
    return [_part(system, part, settings.get(part.method), graph, device) for part in system.parts]


def _part(system: Published, part: Part, value: Value | None, graph: Graph, device: Device) -> Step:
    plain = configured(Step(part.method, {}, part.settings))
    sites = plain.space(graph, device).sites
    if not sites:
        raise BadRecipe(f"{system.id} has nothing to do in this model on {device.id}: {part.method} fits no site of it")
    linear = {use.site for use in graph.weight_uses() if kind_of(use.node.target) == "linear"}
    choices = {site: _chosen(part, value, site in linear) for site in sites}
    return Step(part.method, choices, part.settings)


def _chosen(part: Part, value: Value | None, linear: bool) -> Value:
    if value is not None:
        return value
    return part.linear if linear and part.linear is not None else part.value


def _training(system: Published) -> dict[str, Any]:
    found: dict[str, Any] = {"schedule": system.schedule, "recovery": system.recovery}
    found = {key: name for key, name in found.items() if name}
    return found | ({"settings": dict(system.training)} if system.training else {})

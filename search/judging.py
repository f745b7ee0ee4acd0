"""Figures held against limits: estimates at the upper end of their error bar, measured ones with noise to spare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from hwmodels.base import METRICS, Source

Document = dict[str, Any]

NOISE = 0.01
"""What a measured figure must stay below its limit by, so that it keeps it when it is measured again: halves of one
measurement differ by 0.1 to 0.3 %, separate ones by up to 1.5 %."""


def upper(entry: Mapping[str, Any]) -> float:
    """What a figure counts as: the upper end of its error bar."""
    return float(entry["value"]) * (1.0 + float(entry.get("error", 0.0)))


def over(
    costs: Mapping[str, Any], limits: Sequence[Mapping[str, Any]], slack: Mapping[str, float] = MappingProxyType({})
) -> list[str]:
    """Metrics whose upper estimate lies over the limit; `slack` lets figures be so many times over."""
    broken = []
    for limit in limits:
        figure = METRICS[str(limit["metric"])]
        if upper(costs[figure]) > float(limit["value"]) * slack.get(figure, 1.0):
            broken.append(str(limit["metric"]))
    return broken


def judge(
    limits: Sequence[Mapping[str, Any]],
    costs: Mapping[str, Any],
    untouched: Mapping[str, float],
    noise: float = NOISE,
) -> list[Document]:
    """Each limit with what was achieved and where that figure comes from.

    `untouched` are the untouched model's figures measured in the same run: a measured figure under a ratio is held
    against those, never against a modelled one. A measured value keeps a limit if it does so with `noise` (relative)
    to spare; a negative one forgives as much. Other figures count at the upper end of their error bar.
    """
    verdicts = []
    for limit in limits:
        figure = METRICS[limit["metric"]]
        entry = costs[figure]
        value, bound, spare = float(entry["value"]), float(limit["value"]), 0.0
        if entry["source"] == Source.MEASURED.value:
            bound = float(limit["ratio"]) * untouched[figure] if limit.get("ratio") and figure in untouched else bound
            spare = noise
        elif entry["source"] != Source.COUNTED.value:
            value = upper(entry)
        kept = value * (1.0 + spare) <= bound
        verdicts.append({**limit, "value": bound, "achieved": value, "source": entry["source"], "kept": kept})
    return verdicts

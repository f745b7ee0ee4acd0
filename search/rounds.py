"""Rounds: a search whose finalists all break a limit once they are measured goes on with that limit tightened; one
that found no recipe at all that keeps the limits by estimate is given more evaluations.

Estimates are held against limits that are lower by what estimate and measurement disagreed; finalists are still judged
by what the user asked. Everything here depends on its arguments alone, so a search that was killed goes on the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hwmodels.base import METRICS
from search.judging import NOISE, over, upper
from search.limits import format_figure
from search.problem import TrialState

Document = dict[str, Any]

MOST_ROUNDS = 2
"""How often a search goes on."""
MORE = 0.5
"""Evaluations that a further round is given, as a share of those of the first."""
LITTLE = 0.005
"""Tightened by this much more than was found, so that noise alone doesn't break the limit again."""


def held(prepared: Mapping[str, Any]) -> list[Document]:
    """The limits that estimates are held against: as asked, or tightened in the last round."""
    tightened = {metric: value for r in prepared.get("rounds") or () for metric, value in r["tightened"].items()}
    return [{**limit, "value": tightened.get(limit["metric"], limit["value"])} for limit in prepared["limits"]]


def rejudged(prepared: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> list[Document]:
    """The trials with their states under the limits that hold now: what kept the old ones may break these."""
    if not prepared.get("rounds"):
        return [dict(trial) for trial in trials]
    limits = held(prepared)
    return [
        {**t, "state": TrialState.INFEASIBLE.value}
        if t["state"] == TrialState.DONE.value and over(t["costs"], limits, {})
        else dict(t)
        for t in trials
    ]


def finished(prepared: Mapping[str, Any]) -> set[int]:
    """Numbers of the trials that were finalists of earlier rounds."""
    return {int(number) for r in prepared.get("rounds") or () for number in r["finalists"]}


def again(
    prepared: Mapping[str, Any], trials: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]]
) -> Document | None:
    """The prepared document of one more round, or None where the search is over.

    There is one where no finalist kept every limit, and one of this round was found over its limit although its
    estimate was not; or where no recipe was found yet whose estimates keep the limits, although they can be kept.
    """
    rounds = list(prepared.get("rounds") or ())
    over_with = prepared.get("given") or prepared["infeasible"] or len(rounds) >= MOST_ROUNDS
    if over_with or any(result["kept"] for result in results):
        return None
    before = finished(prepared)
    mine = [result for result in results if int(result["trial"]) not in before]
    factors = _dearer(prepared, {int(t["number"]): t for t in trials}, mine)
    if not factors and (mine or all(t["state"] == TrialState.FAILED.value for t in rejudged(prepared, trials))):
        return None
    broken = [limit for limit in held(prepared) if limit["metric"] in factors]
    tightened = {str(limit["metric"]): _tighter(prepared, limit, factors[limit["metric"]]) for limit in broken}
    first = int(rounds[0]["evaluations"] if rounds else prepared["evaluations"])
    entry = {
        "evaluations": int(prepared["evaluations"]),
        "finalists": [int(result["trial"]) for result in mine],
        "tightened": tightened,
        "reason": "; ".join(_sentence(prepared, metric, factors[metric], tightened[metric]) for metric in tightened)
        or f"no recipe had kept {'the tightened limit' if rounds else 'every limit'}; the search went on",
    }
    allowed = int(prepared["evaluations"]) + max(1, math.ceil(MORE * first))
    return {**prepared, "evaluations": allowed, "rounds": [*rounds, entry]}


def _dearer(
    prepared: Mapping[str, Any], trials: Mapping[int, Mapping[str, Any]], results: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """Metric -> how many times its estimate a finalist came to, at most; each as a share of its own limit."""
    asked = {str(limit["metric"]): float(limit["value"]) for limit in prepared["limits"]}
    found: dict[str, float] = {}
    for result in results:
        costs = trials[int(result["trial"])]["costs"]
        for verdict in result["limits"]:
            metric = str(verdict["metric"])
            if not verdict["kept"] and METRICS[metric] in costs:
                came_to = float(verdict["achieved"]) / float(verdict["value"])
                estimated = upper(costs[METRICS[metric]]) / asked[metric]
                found[metric] = max(found.get(metric, 0.0), came_to / estimated)
    return found


def _tighter(prepared: Mapping[str, Any], limit: Mapping[str, Any], factor: float) -> float:
    """The limit for estimates from now on, no lower than the least that can be reached."""
    metric, value = str(limit["metric"]), float(limit["value"])
    asked = next(float(each["value"]) for each in prepared["limits"] if each["metric"] == metric)
    least = prepared["least_achievable"].get(metric)
    wanted = asked / (max(factor, asked / value) * (1.0 + NOISE + LITTLE))
    return min(value, max(wanted, upper(least))) if least else wanted


def _sentence(prepared: Mapping[str, Any], metric: str, factor: float, value: float) -> str:
    """What was found and what is done about it: `finalists measured 4 % slower than estimated; ...`."""
    limit = next(each for each in prepared["limits"] if each["metric"] == metric)
    ratio = limit.get("ratio")
    bound = f"{ratio * value / limit['value']:.3g}x" if ratio else format_figure(METRICS[metric], value)
    found = "slower than estimated" if metric == "latency" else f"more {metric} than estimated"
    excess = 100 * (factor - 1.0)
    said = (
        f"{excess:.{0 if excess >= 10 else 1}f} % {found}" if excess >= 0.5 else f"too close to the limit on {metric}"
    )
    return f"finalists came out {said}; the search went on with {metric} at most {bound}"

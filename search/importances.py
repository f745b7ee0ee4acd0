"""importances: how well each importance foretells, on one model and its data, what removing a unit does to the loss.

Some units, drawn by lot, are really removed, each alone; what happens to the loss is set against the scores.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

import torch

from methods.base import Data, Importance, MethodError
from methods.graph.coupling.verify import trusted
from methods.graph.ir import Graph
from methods.importance.catalogue import IMPORTANCES
from search.data import Dataset, fitted
from search.removals import RemovalLoss, Unit, drawn
from search.splits import split

Document = dict[str, Any]
Report = Callable[[int, int], None]

REMOVALS = 60
SAMPLES = 512
LEAST = 3
"""Fewest removals that say anything about an order."""


class NothingToRemove(MethodError):
    """A model has too few units for orders to be compared."""


def compare(
    graph: Graph,
    data: Data,
    removals: int = REMOVALS,
    seed: int = 0,
    samples: int = SAMPLES,
    report: Report | None = None,
    seconds: float = inf,
    importances: Mapping[str, Importance] = IMPORTANCES,
) -> Document:
    """The importances, the one that foretells best first.

    Keys: `importances` with `name`, `spearman` and `kendall` (rank correlation of scores and rises of the loss over all
    units; None where a score is missing or all are equal), `within_sites` (mean Spearman of each site's own units: what
    a choice within a site rests on), `units` scored, `seconds`, and the `reason` where there is no score; `removals`
    with `site`, `unit` and the `rise` of the loss, in the loss's own units (nats for classes); `loss` of the whole
    model; `labelled`; `samples`; `seed`.

    Args:
        removals: how many units are removed, at most. samples: how many samples the loss is taken on, the last of
            `data`; the importances look at the first of it. report: told removals done and how many there are.
        seconds: after so many, no further unit is removed; the order was drawn, so those that are stand for all.

    Raises NothingToRemove, and MethodError for data that don't fit.
    """
    wanted, began = drawn(trusted(graph).groups, removals, seed), time.perf_counter()
    if len(wanted) < LEAST:
        raise NothingToRemove(
            f"the model has fewer than {LEAST} units that can be removed: there is no order to compare"
        )
    held = data.take(torch.arange(max(0, len(data) - samples), len(data)))
    loss = RemovalLoss(graph, held)
    units: list[Unit] = []
    rises: list[float] = []
    for unit in wanted:
        if len(units) >= LEAST and time.perf_counter() > began + seconds:
            break
        if report:
            report(len(units), len(wanted))
        units.append(unit)
        rises.append(loss.without(graph, unit))
    lines = [_line(each, graph, data, units, rises) for each in importances.values()]
    lines.sort(key=lambda line: -2.0 if line["spearman"] is None else line["spearman"], reverse=True)
    return {
        "importances": lines,
        "removals": [{"site": s, "unit": u, "rise": r} for (s, u), r in sorted(zip(units, rises, strict=True))],
        "loss": loss.whole,
        "labelled": data.labels is not None,
        "samples": len(held),
        "seed": seed,
    }


def compare_on(
    graph: Graph,
    dataset: Dataset,
    removals: int = REMOVALS,
    report: Report | None = None,
    seconds: float = inf,
) -> Document:
    """`compare` on the training part of a data set; drawn for seed 0.

    Raises DataError where the data don't fit the model, and what `compare` raises.
    """
    train = split(fitted(dataset, graph), 0, [s.dtype for s in graph.inputs]).train
    return compare(graph, train, removals, report=report, seconds=seconds)


def _line(each: Importance, graph: Graph, data: Data, units: list[Unit], rises: list[float]) -> Document:
    began, reason, scores = time.perf_counter(), "", {}
    try:
        scores = each.score(graph, data)
    except MethodError as error:
        reason = str(error)
    seconds = time.perf_counter() - began
    known = [
        (site, float(scores[site][u]), rise) for (site, u), rise in zip(units, rises, strict=True) if site in scores
    ]
    sites = [[k for k in known if k[0] == site] for site in dict.fromkeys(site for site, _, _ in known)]
    if not reason and not known:
        reason = "it has no score for any of the units"
    within = [rho for mine in sites if (rho := _correlations(mine)[0]) is not None]
    spearman, kendall = _correlations(known)
    return {
        "name": each.name,
        "spearman": spearman,
        "kendall": kendall,
        "within_sites": sum(within) / len(within) if within else None,
        "units": len(known),
        "seconds": seconds,
        "reason": reason,
    }


def _correlations(known: list[tuple[str, float, float]]) -> tuple[float | None, float | None]:
    """Spearman's and Kendall's (tau-b) correlation; None for fewer than three, or where all are equal."""
    from scipy.stats import kendalltau, spearmanr  # takes half a second

    scores, rises = [k[1] for k in known], [k[2] for k in known]
    if len(known) < 3 or len(set(scores)) < 2 or len(set(rises)) < 2:
        return None, None
    return float(spearmanr(scores, rises).statistic), float(kendalltau(scores, rises).statistic)

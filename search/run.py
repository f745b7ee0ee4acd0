"""A whole search in this process, without a database: for notebooks, scripts and tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from search import steps
from search.context import Context

Document = dict[str, Any]


def run_search(context: Context, folder: Path, on_trial: Callable[[Document], None] | None = None) -> Document:
    """Prepares, searches, finishes and concludes; `on_trial` is called with each finished trial.

    Where finalists break a limit once they are measured, the search goes on with that limit tightened. Returns the
    outcome document; the bundle stands in `folder` where the outcome is feasible.
    """
    sensitivities: list[Document] = []
    prepared = steps.prepare(context, [], sensitivities.append, lambda *_: None)
    trials: list[Document] = []
    results: list[Document] = []
    scratch = folder.parent / f".{folder.name}-finalists"
    try:
        more: Document | None = prepared
        while more is not None:
            prepared = more
            _search(context, prepared, sensitivities, trials, on_trial)
            chosen = [trials[number] for number in steps.finalists(prepared, trials)]
            results += [steps.finish(context, prepared, t, scratch / str(t["number"])) for t in chosen]
            more = steps.again(prepared, trials, results)
        return steps.conclude(context, prepared, trials, results, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _search(
    context: Context,
    prepared: Document,
    sensitivities: list[Document],
    trials: list[Document],
    on_trial: Callable[[Document], None] | None,
) -> None:
    """Adds trials until there are no more to be tried."""
    while not prepared["infeasible"]:
        batch = steps.next_recipes(prepared, sensitivities, trials)
        if not batch:
            return
        for trial in batch:
            trials.append(steps.evaluate(context, prepared, trial))
            if on_trial is not None:
                on_trial(trials[-1])

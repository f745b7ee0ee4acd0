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

    Returns the outcome document; the bundle stands in `folder` where the outcome is feasible.
    """
    sensitivities: list[Document] = []
    prepared = steps.prepare(context, [], sensitivities.append, lambda *_: None)
    trials: list[Document] = []
    while not prepared["infeasible"]:
        batch = steps.next_recipes(prepared, sensitivities, trials)
        if not batch:
            break
        for trial in batch:
            trials.append(steps.evaluate(context, prepared, trial))
            if on_trial is not None:
                on_trial(trials[-1])
    scratch = folder.parent / f".{folder.name}-finalists"
    try:
        chosen = [trials[number] for number in steps.finalists(prepared, trials)]
        results = [steps.finish(context, prepared, t, scratch / str(t["number"])) for t in chosen]
        return steps.conclude(context, prepared, trials, results, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)

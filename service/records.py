"""Rows and the documents that a search works with: the one place that knows both."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from db.base import Json
from db.searches import SearchRow
from db.trials import TrialRow

OPEN = ("queued", "running")
"""Trial states in which it isn't finished."""


def trial_document(row: TrialRow) -> Json:
    """A trial as `search` reads and writes it."""
    return {
        "number": row.number,
        "origin": row.origin,
        "state": row.state,
        "recipe": row.recipe,
        "costs": row.costs,
        "quality": row.quality,
        "error": row.error,
    }


def new_trial(search_id: str, document: Mapping[str, Any]) -> TrialRow:
    """A queued trial from `{"number", "recipe", "origin"}`."""
    return TrialRow(
        search_id=search_id,
        number=document["number"],
        origin=document.get("origin", ""),
        state="queued",
        recipe=document["recipe"],
        costs={},
        quality={},
    )


def write_trial(row: TrialRow, document: Mapping[str, Any], at: float) -> None:
    """Stores what became of a trial; one with figures that aren't numbers has failed."""
    found = {name: dict(document.get(name) or {}) for name in ("costs", "quality")}
    row.state, row.error, row.finished_at = document["state"], document.get("error", ""), at
    if not is_finite(found):
        row.state, row.error = "failed", "the compressed network gives values that are not finite numbers"
        found = {"costs": {}, "quality": {}}
    row.costs, row.quality = found["costs"], found["quality"]


def is_finite(document: Any) -> bool:
    """Whether no number in it is NaN or infinite; JSON in a database has neither."""
    if isinstance(document, Mapping):
        return all(is_finite(value) for value in document.values())
    if isinstance(document, list | tuple):
        return all(is_finite(value) for value in document)
    return not isinstance(document, float) or math.isfinite(document)


def plain(document: Any) -> Any:
    """The same as JSON can hold it: NaN and infinity become null."""
    if isinstance(document, Mapping):
        return {str(key): plain(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [plain(value) for value in document]
    return None if isinstance(document, float) and not math.isfinite(document) else document


def best_of(best: Json | None, trial: Json) -> Json | None:
    """The better of two trials within the limits: the higher score, then the lower number; in any order the same."""
    if trial["state"] != "done" or trial["quality"].get("score") is None:
        return best
    entry = {name: trial[name] for name in ("number", "origin", "costs", "quality")}
    return entry if best is None or _rank(entry) > _rank(best) else best


def _rank(entry: Json) -> tuple[float, int]:
    return float(entry["quality"]["score"]), -int(entry["number"])


def score_scope(model_hash: str, dataset: str, request: Mapping[str, Any]) -> str:
    """What sensitivities depend on besides their own key: model, data and seed; neither device nor limits."""
    return fingerprint([model_hash, dataset, request["seed"]])


def failed_finalist(trial: TrialRow, reason: str) -> Json:
    """The result of a finalist that could not be finished, as the conclusion reads it."""
    empty: Json = {"folder": "", "costs": {}, "quality": {}, "kept": False, "limits": []}
    return {"trial": trial.number, "recipe": trial.recipe, **empty, "error": reason}


def reference_of(row: SearchRow) -> Json | None:
    """The untouched model's figures, once they are known."""
    found: Json | None = (row.prepared or {}).get("reference")
    return found


def fingerprint(document: Any) -> str:
    """A hash of a JSON document that doesn't depend on the order of its keys."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()

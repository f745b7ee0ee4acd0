"""Trials as JSON documents and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search.problem import Recipe, Trial, TrialState


def trial_of(document: Mapping[str, Any]) -> Trial:
    """The Trial that a document stands for."""
    return Trial(
        number=int(document["number"]),
        recipe=Recipe.from_json(document["recipe"]),
        state=TrialState(document["state"]),
        origin=str(document.get("origin", "")),
        costs=document.get("costs") or {},
        quality=document.get("quality") or {},
        error=str(document.get("error") or ""),
    )

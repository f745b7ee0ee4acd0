"""The catalogues under /v1 (methods, strategies, ...) and /v1/problems: what can be chosen or go wrong."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter

from db.base import Json
from service.errors import PROBLEMS, NotHere
from service.plugins import importance_documents, method_documents, recovery_documents, strategy_documents

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get("/methods")
def list_methods() -> Json:
    """List compression methods in the order in which they are applied, and published systems made of them."""
    return {"items": method_documents()}


@router.get("/importances")
def list_importances() -> Json:
    """List the ways to tell which units and weights matter."""
    return {"items": importance_documents()}


@router.get("/recoveries")
def list_recoveries() -> Json:
    """List the ways to win accuracy back, and the schedules by which networks get to their forms."""
    return {"items": recovery_documents()}


@router.get("/strategies")
def list_strategies() -> Json:
    """List search strategies."""
    return {"items": strategy_documents()}


@router.get("/problems/{slug}")
def get_problem(slug: str) -> Json:
    """Explain a `type` of problem: what every refusal of this API is told as."""
    if slug not in PROBLEMS:
        raise NotHere(f"there is no problem type {slug[:100]!r}; there are {', '.join(PROBLEMS)}")
    return asdict(PROBLEMS[slug])

"""The steps of a search, one function each: what a worker calls between two commits.

Every argument and result but the Context is plain JSON; the rows that they are stored in are the only truth, so a
search may be killed between (or in) any two steps and goes on from what was committed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from search.catalogue import make_strategy
from search.context import Context, open_context
from search.documents import trial_of
from search.evaluate import evaluate
from search.finish import conclude, finish
from search.plan import Guide
from search.prepare import prepare, problem_of
from search.problem import TrialState
from search.rounds import again, finished, rejudged
from search.strategies.seeds import origin

__all__ = [
    "Context",
    "again",
    "conclude",
    "evaluate",
    "finalists",
    "finish",
    "next_recipes",
    "open_context",
    "prepare",
]

BATCH = 8
"""Recipes suggested at once, at most; all of them are evaluated before the next are asked for. Towards the end they are
half of those that are left, so that even a short search learns from its first trials."""
FINALISTS = 3
"""Candidates that are trained to the end: rankings before training and after it differ."""


def next_recipes(
    prepared: Mapping[str, Any], sensitivities: Sequence[Mapping[str, Any]], trials: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The next batch of trials to evaluate, with their numbers; none when the search phase is over.

    Depends on its arguments alone: a strategy is built and fed the trials in order.
    """
    del sensitivities  # the guide in `prepared` was built from them
    if prepared.get("given"):
        return [] if trials else [{"number": 0, "recipe": prepared["given"], "origin": "given", "state": "queued"}]
    problem = problem_of(prepared)
    left = problem.evaluations - len(trials)
    if left <= 0:
        return []
    guide = Guide.from_json(prepared["guide"]) if prepared.get("guide") else None
    strategy = make_strategy(str(prepared["strategy"]), problem, guide)
    done = sorted((trial_of(t) for t in rejudged(prepared, trials)), key=lambda t: t.number)
    strategy.update(done)
    recipes = strategy.suggest(min(BATCH, left, max(2, left // 2)))
    name, start = str(prepared["strategy"]), len(trials)
    return [
        {
            "number": start + i,
            "recipe": recipe.to_json(),
            "origin": origin(problem, problem.point(recipe), name),
            "state": "queued",
        }
        for i, recipe in enumerate(recipes)
    ]


def finalists(prepared: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> list[int]:
    """Numbers of the trials worth training to the end, best first: the highest scores that keep every limit.

    Those that were finalists of an earlier round are not finished a second time.
    """
    before = finished(prepared)
    judged = [t for t in rejudged(prepared, trials) if int(t["number"]) not in before]
    kept = [t for t in judged if t["state"] == TrialState.DONE.value]
    ranked = sorted(kept, key=lambda t: (-float(t["quality"]["score"]), float(t["quality"]["loss"]), t["number"]))
    return [int(t["number"]) for t in ranked[:FINALISTS]]

"""Fronts and hypervolume against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from search.pareto import dominates, front, hypervolume, non_dominated
from search.problem import Recipe, Trial, TrialState


def brute(points: np.ndarray) -> list[int]:
    """Every point against every other."""
    return [i for i, p in enumerate(points) if not any(dominates(q, p) for q in points)]


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("levels", [4, 1000])
def test_front_is_what_brute_force_finds(objectives: int, levels: int):
    """With many ties or none, in any number of objectives, exactly the undominated points remain."""
    points = np.random.default_rng(objectives).integers(0, levels, (150, objectives))
    assert non_dominated(points).tolist() == brute(points)


def test_equal_points_stay_together():
    """Equal points don't dominate each other."""
    assert non_dominated([[1, 2], [2, 1], [1, 2], [2, 2]]).tolist() == [0, 1, 2]
    assert non_dominated(np.empty((0, 2))).tolist() == []


def test_hypervolume_counts_the_cells():
    """On whole numbers the hypervolume is the number of unit cells that some point dominates."""
    points = np.random.default_rng(0).integers(0, 14, (30, 2))
    cells = sum(bool((points <= (x, y)).all(axis=1).any()) for x in range(10) for y in range(12))
    assert hypervolume(points, (10, 12)) == cells
    assert hypervolume(np.empty((0, 2)), (1, 1)) == 0.0


def trial(number: int, score: float | None, latency: float, state: TrialState = TrialState.DONE, error: float = 0.0):
    costs = {"latency_s": {"value": latency, "source": "measured", "error": error}}
    return Trial(number, Recipe(), state, costs=costs, quality={} if score is None else {"score": score})


def test_front_of_trials_takes_only_what_is_done_and_known():
    """Only DONE trials with a score and the figure count; they come by number, at the upper end of the error bar."""
    trials = [
        trial(5, 0.9, 2.0),
        trial(2, 0.8, 1.0),
        trial(1, 0.8, 0.9, error=0.2),
        trial(3, 0.99, 0.5, TrialState.INFEASIBLE),
        trial(4, None, 0.1),
        Trial(6, Recipe(), TrialState.DONE, quality={"score": 1.0}),
    ]
    assert [t.number for t in front(trials, ["latency_s"])] == [2, 5]
    assert front([], ["latency_s"]) == []

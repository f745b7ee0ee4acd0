"""What a stopwatch found, as figures."""

from __future__ import annotations

import pytest

from hwmodels.base import Measurement
from search.measuring import REPEATS, figures_of


@pytest.mark.parametrize(("halves", "error"), [(2e-5, REPEATS), (0.2, 0.2)])
def test_no_error_bar_is_shorter_than_measurements_repeat(halves: float, error: float) -> None:
    """Two halves that agree by chance don't make a figure exact; halves that disagree say how far."""
    found = figures_of(Measurement(1e-3, 1e-3, 1e-3, 10, halves), with_energy=False)
    assert found == {"latency_s": {"value": 1e-3, "source": "measured", "error": error}}

from __future__ import annotations

import pytest

from hwmodels.base import Measurement
from hwmodels.calibration import Calibration
from hwmodels.drift import judge

BEFORE = [1e-3, 2e-3, 3e-3, 5e-4]
KEPT = Calibration({"Conv": 1.1}, 1.0, 0.02, 0.01, 0.02, 0.03, 0.99, 0.05, 10, ("plain",))


def measured(times: list[float], disagreement: float = 0.002) -> list[Measurement]:
    return [Measurement(t, t * 1.01, t * 1.02, 100, disagreement) for t in times]


def times(*ratios: float) -> list[float]:
    return [t * ratio for t, ratio in zip(BEFORE, ratios, strict=True)]


@pytest.mark.parametrize(
    ("ratios", "disagreement", "verdict", "said"),
    [
        ((1.0, 1.01, 0.99, 1.005), 0.002, "same", "is what it was"),
        ((1.3, 1.31, 1.29, 1.3), 0.002, "changed", "slower"),
        ((0.8, 0.81, 0.8, 0.79), 0.002, "changed", "faster"),
        ((1.0, 1.6, 1.2, 1.1), 0.002, "other", "not evenly"),
        ((1.3, 1.31, 1.29, 1.3), 0.4, "busy", "can't tell"),
        ((1.0, 1.6, 1.2, 1.1), 0.2, "busy", "can't tell"),
        ((1.0, 1.01, 0.99, 1.005), 0.4, "same", "is what it was"),
    ],
)
def test_verdicts(ratios: tuple[float, ...], disagreement: float, verdict: str, said: str) -> None:
    """One ratio is a changed machine, several are none, and noise that large explains either; agreement needs no
    quiet, as noise never makes a network faster."""
    found = judge(measured(BEFORE), measured(times(*ratios), disagreement))
    assert found.verdict == verdict
    assert said in found.words
    assert found.quiet == (disagreement <= 0.05)


def test_a_changed_machine_is_rescaled() -> None:
    """The calibration of a machine that is a third slower predicts a third more; of one that is busy, it stays as it
    is, and is trusted less."""
    slower = judge(measured(BEFORE), measured(times(1.33, 1.33, 1.34, 1.32)))
    assert KEPT.scaled(slower.scale).factors["Conv"] == pytest.approx(1.1 * slower.ratio)
    assert slower.ratio == pytest.approx(1.33)
    busy = judge(measured(BEFORE), measured(times(1.33, 1.33, 1.34, 1.32), 0.5))
    assert (slower.doubt, busy.scale) == (0.0, 1.0)
    assert KEPT.doubted(busy.doubt).margin == max(KEPT.margin, 0.1)


def test_the_median_tells_the_ratio() -> None:
    """One network that was disturbed doesn't bend it, but is seen in the spread."""
    found = judge(measured(BEFORE), measured(times(1.0, 1.0, 1.0, 1.5)))
    assert found.ratio == pytest.approx(1.0)
    assert found.spread == pytest.approx(0.5)

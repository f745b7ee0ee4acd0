from __future__ import annotations

import pytest

from hwmodels.base import Measurement
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.disturbed import NOISY, Disturbed, united
from hwmodels.table import Table, header_for


def measured(latency_us: float, disagreement: float) -> Measurement:
    return Measurement(1e-6 * latency_us, 1e-6 * latency_us, 1e-6 * latency_us, 9, disagreement)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((10.0, 0.3), (13.0, 0.001), (10.0, 0.3)),  # the quiet one was slow throughout: they are 30 % apart
        ((10.0, 0.3), (10.1, 0.001), (10.0, 0.01)),  # it confirms the other within a hundredth
        ((13.0, 0.4), (10.0, 0.001), (10.0, 0.001)),  # a better moment came
        ((10.0, 0.3), (10.1, 0.5), (10.0, 0.3)),  # two noisy ones prove nothing of each other
    ],
)
def test_the_faster_of_two_is_right(
    first: tuple[float, float], second: tuple[float, float], expected: tuple[float, float]
) -> None:
    """Its error bar shrinks only by what agrees with itself and with it; the order makes no difference."""
    for pair in ((first, second), (second, first)):
        found = united(measured(*pair[0]), measured(*pair[1]))
        assert (1e6 * found.latency_s, found.disagreement) == pytest.approx(expected)


def test_what_agrees_with_itself_is_kept_at_once() -> None:
    """A quiet measurement needs no second turn."""
    disturbed = Disturbed(turns=4)
    assert disturbed.settle("a", measured(10.0, NOISY)) == measured(10.0, NOISY)
    assert "a" not in disturbed


def test_noise_is_held_back_until_its_turns_are_over() -> None:
    """The best there is yet can be used meanwhile; what never had a quiet moment is kept with its error bar."""
    disturbed = Disturbed(turns=3)
    for latency_us in (15.0, 12.0):
        assert disturbed.settle("a", measured(latency_us, 0.2)) is None
        assert disturbed["a"] == measured(latency_us, 0.2)
    assert disturbed.settle("a", measured(14.0, 0.3)) == measured(12.0, 0.2)
    assert "a" not in disturbed


def test_a_row_that_is_held_back_is_not_reported() -> None:
    """A table has it to estimate with, and keeps it once it agrees with itself."""
    told: list[object] = []
    table = Table(header_for(LOCAL_ONNXRUNTIME, "1.0", "this machine"), on_measure=told.append)
    table.offer("a", "Conv()", measured(15.0, 0.4))
    assert (table.row("a"), table.rows, told) == (measured(15.0, 0.4), {}, [])
    table.offer("a", "Conv()", measured(10.0, 0.001))
    assert (table.row("a"), list(table.rows), len(told)) == (measured(10.0, 0.001), ["a"], 1)


def test_pauses_grow_until_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A neighbour is waited for, but not by every network of a search beside one that stays."""
    slept: list[float] = []
    monkeypatch.setattr("hwmodels.disturbed.time.sleep", slept.append)
    disturbed = Disturbed(patience_s=10.0)
    for _ in range(3):
        assert disturbed.settle("a", measured(15.0, 0.4)) is None
        disturbed.pause()
    assert slept == [1.0, 3.0, 6.0]
    assert disturbed.settle("a", measured(15.0, 0.4)) is not None
    disturbed.settle("b", measured(15.0, 0.4))
    disturbed.pause()
    assert slept[3:] == [0.0]

from __future__ import annotations

import random

import pytest

from hwmodels.profilers.crowd import EVERY, STRETCH, Clocked, Shared, crowd


def test_the_fullest_range_is_found() -> None:
    """Its middle, and how many readings lie in it: 1.00, 1.01 and 1.02 are within two per cent, 1.2 and 1.5 aren't."""
    assert crowd([1.5, 1.01, 1.2, 1.0, 1.02]) == (pytest.approx(1.01), 3)


def stretch(level: Shared, middle: float, spread: float) -> None:
    chance = random.Random(0)
    for _ in range(STRETCH + EVERY):
        level.add(middle * (1.0 + spread * chance.random()))


def test_the_latest_crowd_is_the_level() -> None:
    """Neighbours, whose readings are all different, leave it where it is; a clock that changes takes it along."""
    level = Shared()
    stretch(level, 1.2, 0.5)
    first = level.level_s
    stretch(level, 1.15, 0.01)
    assert first > 1.15
    assert level.level_s == pytest.approx(1.155, rel=0.01)
    stretch(level, 1.0, 0.01)
    assert level.level_s == pytest.approx(1.005, rel=0.01)
    stretch(level, 1.0, 0.5)
    assert level.level_s == pytest.approx(1.005, rel=0.01)
    stretch(level, 1.1, 0.01)
    assert level.level_s == pytest.approx(1.105, rel=0.01)


def test_a_crowd_that_no_clock_explains_is_no_level() -> None:
    """Two cores that become halves of one: readings are alike, and far above the lowest."""
    level = Shared()
    stretch(level, 1.0, 0.01)
    stretch(level, 1.5, 0.01)
    assert level.level_s == pytest.approx(1.005, rel=0.01)


def test_a_level_from_a_disturbed_beginning_is_left() -> None:
    """What crowded while the cores were packed is none once they are seen apart."""
    level = Shared()
    stretch(level, 1.5, 0.01)
    stretch(level, 1.0, 0.01)
    stretch(level, 1.5, 0.01)
    assert level.level_s == pytest.approx(1.005, rel=0.01)


def test_single_lower_readings_are_no_level() -> None:
    """Some lucky moments among crowded ones change nothing."""
    level = Shared()
    for number in range(10 * STRETCH):
        level.add(0.9 if number % 10 == 0 else 1.0)
    assert level.level_s == pytest.approx(1.0)


def test_what_another_process_saw_bounds_the_processors_level() -> None:
    """With a neighbour from the beginning a process still knows that it has one."""
    level = Clocked(known_s=1.0)
    for _ in range(STRETCH + EVERY):
        level.add(1.3)
    assert level.level_s == 1.0

"""LeNet-5 on few levels gets back to its accuracy: minutes of training, so only `make bench` runs this."""

from __future__ import annotations

from functools import cache

import pytest

from benchmarks.levels import Bench
from methods.base import Value
from methods.graph.file import packed_bytes
from methods.level_method import LevelMethod
from methods.power_of_two import PowerOfTwo
from methods.ternary import Ternary

bench = cache(Bench.lenet5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "value", "points"),
    [
        pytest.param(Ternary(), "twn", 0.5, marks=pytest.mark.seed("twn")),
        pytest.param(Ternary(), "ttq", 0.5, marks=pytest.mark.seed("ttq")),
        pytest.param(PowerOfTwo(incremental=True), 5, 0.2),
    ],
    ids=str,
)
def test_training_wins_the_accuracy_back(method: LevelMethod, value: Value, points: float) -> None:
    """To so many points of the float network on unseen images, in a file that is a fifth of its size or less."""
    row = bench().row(method, value)
    assert 100 * row.trained >= 100 * bench().accuracy(bench().graph) - points
    assert 5 * row.file_bytes < packed_bytes(bench().graph)

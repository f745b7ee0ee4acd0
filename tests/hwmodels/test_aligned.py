"""Arrays that begin with a page, and the gauge's work on such."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from hwmodels.profilers.aligned import PAGE, aligned
from hwmodels.profilers.gauge import new_gauge


@pytest.mark.parametrize("shape", [(3,), (96, 96), (1, 5, 7), ()])
@pytest.mark.parametrize("kind", ["float32", "uint8", "bool", "int64"])
def test_a_copy_begins_with_a_page_and_holds_the_same(shape: tuple[int, ...], kind: str) -> None:
    value = np.random.default_rng(0).integers(0, 2, shape).astype(kind)
    copy = aligned(value)
    assert copy.ctypes.data % PAGE == 0
    assert copy.dtype == value.dtype
    assert copy.shape == value.shape
    assert np.array_equal(copy, value)
    assert not np.shares_memory(copy, value)


@pytest.mark.parametrize("work", ["own", "memory"])
def test_the_gauges_work_lies_the_same_in_every_process(work: str) -> None:
    run = new_gauge().runs[work]
    assert isinstance(run, partial)
    used = [*run.args, *run.keywords.values()]
    assert used
    assert all(array.ctypes.data % PAGE == 0 for array in used)

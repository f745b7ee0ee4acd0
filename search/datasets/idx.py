"""Reads the beginning of a gzipped IDX file, the format of MNIST and its kin, without trusting it.

Two zero bytes, one for the type (8: bytes), one for the number of axes; the length of each axis as four bytes, the
largest first; then the values. LeCun, Cortes and Burges, The MNIST database, 1998.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.datasets.dataset import DataError

BYTES = 8
LONGEST_SAMPLE = 1 << 20
BROKEN = (OSError, EOFError, zlib.error, struct.error)
"""What gzip and struct raise for damaged or short files."""


def read_idx(path: Path, count: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The first `count` samples of `shape` as `[count, *shape]`; no more of the file is unpacked than they take.

    Raises DataError for damage, other shapes, too few samples.
    """
    if prod(shape) > LONGEST_SAMPLE:
        raise DataError(f"samples of {list(shape)} are more than is read from {path.name}")
    try:
        with gzip.open(path) as file:
            zeros, kind, axes = struct.unpack(">HBB", file.read(4))
            lengths = struct.unpack(f">{axes}I", file.read(4 * axes))
            _check(path, (zeros, kind), lengths, count, shape)
            values = file.read(count * prod(shape))
    except BROKEN as error:
        raise DataError(f"{path.name} can't be read ({error}); install its package again") from error
    if len(values) < count * prod(shape):
        raise DataError(f"{path.name} ends after {len(values)} of {count * prod(shape)} values; install it again")
    return np.frombuffer(values, np.uint8).reshape(count, *shape)


def _check(path: Path, start: tuple[int, int], lengths: tuple[int, ...], count: int, shape: tuple[int, ...]) -> None:
    if start != (0, BYTES):
        raise DataError(f"{path.name} holds no IDX of bytes: it starts with {start}; install its package again")
    if lengths[1:] != shape or lengths[0] < count:
        raise DataError(f"{path.name} holds {list(lengths)} values, not {count} or more of {list(shape)}")

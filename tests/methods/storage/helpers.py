"""Putting tensors into a blob and taking them out, and weights that look like real ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from methods.storage import records
from methods.storage.payload import Reader
from methods.storage.pool import joined, opened
from methods.storage.records import Record
from methods.storage.symbols import Pieces


def blob_of(*tensors: Record) -> bytes:
    """A blob of some tensors."""
    return joined([piece for tensor in tensors for piece in records.encode(tensor)])


def read_all(blob: bytes, count: int = 1) -> list[Record]:
    """The tensors in a blob, which holds them and nothing else."""
    reader = opened(blob)
    found = [records.decode(reader) for _ in range(count)]
    reader.finish()
    return found


def part(pieces: Pieces, read: Callable[[Reader], Any]) -> Any:
    """What comes back from the pieces of a part of a tensor; they must be used up, and take what they said."""
    reader = opened(joined(pieces))
    found = read(reader)
    assert len(reader) == 0
    return found


def skewed(count: int, most: int, seed: int = 0) -> NDArray[np.uint8]:
    """Small numbers up to `most`, nearly half of them 0."""
    return np.minimum(np.random.default_rng(seed).geometric(0.45, count) - 1, most).astype(np.uint8)


def same_bits(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two arrays are equal in type, shape and every bit."""
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()

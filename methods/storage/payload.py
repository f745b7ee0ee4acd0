"""Packed tensors, and reading their bytes without trusting what they say about themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from methods.graph.ir import GraphError

MOST_AXES = 16


class StorageError(GraphError):
    """A packed tensor is not what it says: its bytes, shape, codec or code table don't fit together."""


@dataclass(frozen=True)
class Packed:
    """One tensor on disk: `meta` is plain JSON (codec, shape, ...), `payload` the bytes."""

    meta: Mapping[str, Any]
    payload: bytes


def read_int(meta: Mapping[str, Any], key: str, low: int, high: int) -> int:
    """A whole number out of `meta`, within bounds."""
    value = meta.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise StorageError(f"a packed tensor's {key!r} must be a whole number from {low} to {high}, not {value!r:.60}")
    return value


def read_shape(meta: Mapping[str, Any]) -> tuple[int, ...]:
    """The shape out of `meta`: at most 16 axes, none negative."""
    shape = meta.get("shape")
    if not isinstance(shape, list) or len(shape) > MOST_AXES:
        raise StorageError(f"a packed tensor's shape must be a list of at most {MOST_AXES} sizes, not {shape!r:.60}")
    if not all(isinstance(s, int) and not isinstance(s, bool) and 0 <= s < 1 << 40 for s in shape):
        raise StorageError(f"a packed tensor's sizes must be whole numbers from 0 on, not {shape!r:.60}")
    if prod(max(1, s) for s in shape) >= 1 << 48:
        raise StorageError(f"a packed tensor of shape {shape} is larger than any that can be stored")
    return tuple(shape)


class Reader:
    """Takes pieces off the front of a payload; never allocates more than is there."""

    def __init__(self, payload: bytes) -> None:
        self._data = memoryview(payload)

    def __len__(self) -> int:
        return len(self._data)

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if not 0 <= count <= len(self._data):
            raise StorageError(f"a packed tensor is cut off: {count} bytes wanted, {len(self._data)} left")
        piece, self._data = self._data[:count], self._data[count:]
        return bytes(piece)

    def array(self, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
        """The next array, little-endian."""
        kind = np.dtype(dtype).newbyteorder("<")
        count = prod(shape)
        values = np.frombuffer(self.take(count * kind.itemsize), dtype=kind).reshape(shape)
        return values.astype(kind.newbyteorder("="))

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(len(self._data))

    def finish(self) -> None:
        """Raises StorageError where bytes are left over."""
        if len(self._data):
            raise StorageError(f"a packed tensor has {len(self._data)} bytes too many")

"""The blob that packed tensors lie in, one behind the other: put together from pieces, and read without trust.

Nothing says in front how long a tensor is; whoever reads it knows from its shape and its codes. So that a few bytes
can't ask for endless memory, a blob may hold at most `ELEMENTS_PER_BYTE` numbers for each of its bytes; where honest
tensors are emptier than that, zeros at the end of the blob make up for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from methods.graph.ir import GraphError

MOST_AXES, MOST_SHIFTS = 16, 42
ELEMENTS_PER_BYTE, MOST_ELEMENTS = 256, 1 << 30


class StorageError(GraphError):
    """A packed tensor is not what it says: its bytes, shape, codec or code table don't fit together."""


def number(value: int) -> bytes:
    """A whole number from 0 on in as few bytes as it needs, 7 bits in each, the lowest first."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low]) if not rest else bytes([low | 0x80]) + number(rest)


def signed(value: int) -> bytes:
    """Any whole number: 0, -1, 1, -2, ... as 0, 1, 2, 3, ..."""
    return number(2 * value if value >= 0 else -2 * value - 1)


class Shape(bytes):
    """A shape as a piece of a blob: how many axes, the size of each; `elements` is what it counts for."""

    elements: int

    @classmethod
    def of(cls, shape: Iterable[int]) -> Shape:
        """The piece for a shape."""
        sizes = tuple(shape)
        piece = cls(number(len(sizes)) + b"".join(map(number, sizes)))
        piece.elements = elements_of(sizes)
        return piece


def elements_of(shape: tuple[int, ...]) -> int:
    """What a shape counts for: its elements, with empty axes as if they had one."""
    return prod(max(1, size) for size in shape)


def padding(used: int, elements: int) -> int:
    """The zero bytes behind a blob of `used` bytes that holds so many elements."""
    return max(0, -(-elements // ELEMENTS_PER_BYTE) - used)


class Reader:
    """Takes pieces off the front of a blob; never allocates more than is there, or than it may hold.

    `tables` are the code tables that its tensors share.
    """

    def __init__(self, blob: bytes) -> None:
        self._data = memoryview(blob)
        self._size = len(blob)
        self._elements = 0
        self.tables: list[NDArray[np.uint8]] = []

    def __len__(self) -> int:
        return len(self._data)

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if not 0 <= count <= len(self._data):
            raise StorageError(f"a packed tensor is cut off: {count} bytes wanted, {len(self._data)} left")
        piece, self._data = self._data[:count], self._data[count:]
        return bytes(piece)

    def number(self, low: int, high: int, what: str) -> int:
        """The next whole number, which must lie within the bounds; `what` is what messages call it."""
        value = 0
        for shift in range(0, MOST_SHIFTS, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if not low <= value <= high or (byte == 0 and shift):
                    break
                return value
        raise StorageError(f"a packed tensor's {what} must be a whole number from {low} to {high}")

    def signed(self, low: int, high: int, what: str) -> int:
        """The next whole number of any sign."""
        coded = self.number(0, 2 * max(high, -low), what)
        value = -(coded + 1) // 2 if coded % 2 else coded // 2
        if not low <= value <= high:
            raise StorageError(f"a packed tensor's {what} must be a whole number from {low} to {high}, not {value}")
        return value

    def shape(self) -> tuple[int, ...]:
        """The next shape, of no more elements than the blob may hold."""
        axes = self.number(0, MOST_AXES, "count of axes")
        shape = tuple(self.number(0, MOST_ELEMENTS, "size") for _ in range(axes))
        self._elements += elements_of(shape)
        if self._elements > min(MOST_ELEMENTS, ELEMENTS_PER_BYTE * self._size):
            raise StorageError(f"tensors of {self._elements:,} elements can't be stored in {self._size:,} bytes")
        return shape

    def array(self, dtype: Any, count: int) -> NDArray[Any]:
        """The next numbers, little-endian: `[count]`."""
        kind = np.dtype(dtype).newbyteorder("<")
        values = np.frombuffer(self.take(count * kind.itemsize), dtype=kind)
        return values.astype(kind.newbyteorder("="))

    def finish(self) -> None:
        """Raises StorageError where anything but the zeros that make up for emptiness is left over."""
        wanted = padding(self._size - len(self._data), self._elements)
        if len(self._data) != wanted or any(self._data):
            raise StorageError(
                f"the packed tensors have {len(self._data)} bytes behind them in place of {wanted} zeros"
            )

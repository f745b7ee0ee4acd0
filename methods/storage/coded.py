"""Weights on a grid: whole numbers of up to 16 bits with scales and zero points, as quantisation makes them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from methods.storage import numbers, positions, symbols
from methods.storage.payload import Reader, Shape, StorageError, number, signed
from methods.storage.symbols import Pieces

LARGEST_CODE = 1 << 20


@dataclass(frozen=True, eq=False)
class Coded:
    """Whole numbers `codes` of any shape: `(codes - zero) * scale` are the values.

    `scale` (float32) and `zero` (int32) have one entry each, or one for each stretch: the codes are cut, in their
    order, into stretches of `inner` that take the entries in turn. Codes outside `mask` come back as their zero.
    """

    codes: NDArray[np.int64]
    scale: NDArray[np.float32]
    zero: NDArray[np.int32]
    inner: int
    mask: NDArray[np.bool_] | None = None

    @property
    def values(self) -> NDArray[np.float32]:
        """What the codes stand for."""
        stretched = self.codes.reshape(-1, len(self.scale), self.inner) - self.zero[:, None]
        return np.asarray((stretched.astype(np.float32) * self.scale[:, None]).reshape(self.codes.shape))


def encode(record: Coded) -> Pieces:
    if record.codes.size != 0 and int(np.abs(record.codes).max()) > LARGEST_CODE:
        raise StorageError(f"codes may reach {LARGEST_CODE:,}, not {int(np.abs(record.codes).max()):,}")
    kept = record.codes.reshape(-1) if record.mask is None else record.codes[record.mask]
    low = int(kept.min()) if kept.size else 0
    wide = bool(kept.size) and int(kept.max()) - low > 255
    zeros: Pieces = numbers.encode(record.zero) if record.zero.any() else []
    head = number(len(record.scale)) + number(record.inner)
    flags = bytes([wide + 2 * bool(zeros)])
    places = [bytes([positions.ALL])] if record.mask is None else positions.encode(record.mask)
    steps = kept - low
    planes = [steps & 0xFF, steps >> 8] if wide else [steps]
    if wide and int(planes[1].max()) > 255:
        raise StorageError("codes may span 16 bits at most")
    rows = [piece for plane in planes for piece in symbols.encode(plane.astype(np.uint8))]
    return [
        Shape.of(record.codes.shape),
        head + flags + signed(low),
        *numbers.encode(record.scale),
        *zeros,
        *places,
        *rows,
    ]


def decode(reader: Reader) -> Coded:
    shape = reader.shape()
    most = max(1, prod(shape))
    count, inner = reader.number(1, most, "scales"), reader.number(1, most, "stretch")
    if prod(shape) % (count * inner):
        raise StorageError(f"{count} scales for {inner} codes each don't fit a tensor of shape {list(shape)}")
    flags = reader.number(0, 3, "flags")
    low = reader.signed(-LARGEST_CODE, LARGEST_CODE, "lowest code")
    scale = numbers.decode(reader, "float32", count)
    zero = numbers.decode(reader, "int32", count) if flags & 2 else np.zeros(count, dtype=np.int32)
    if not np.isfinite(scale).all() or int(np.abs(zero.astype(np.int64)).max()) > LARGEST_CODE:
        raise StorageError("a packed tensor's scales are not finite, or its zero points too large")
    mask = positions.decode(reader, shape)
    kept = int(np.count_nonzero(mask))
    steps = symbols.decode(reader, kept).astype(np.int64)
    steps += symbols.decode(reader, kept).astype(np.int64) << 8 if flags & 1 else 0
    codes = np.broadcast_to(zero[:, None].astype(np.int64), (prod(shape) // (count * inner), count, inner)).reshape(
        shape
    )
    codes = codes.copy()
    codes[mask] = steps + low
    return Coded(codes, scale, zero, inner, mask)

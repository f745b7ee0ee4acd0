"""Tensors of full numbers: parameters and buffers of any type, masked ones and such with many zeros among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from methods.storage import numbers, positions, symbols
from methods.storage.payload import Reader, Shape, StorageError
from methods.storage.symbols import Pieces

Array = NDArray[Any]

SOME_ZEROS = 32
"""A tensor with one zero in so many has a look at whether to leave its zeros out."""


@dataclass(frozen=True, eq=False)
class Plain:
    """Full numbers; with a `mask` of the same shape, those that it keeps: the others come back as 0."""

    values: Array
    mask: NDArray[np.bool_] | None = None
    brain: bool = False
    """Whether the uint16 `values` are the bits of bfloat16 numbers."""


def encode(record: Plain) -> Pieces:
    words = numbers.words_of(record.values)
    name = "bfloat16" if record.brain else record.values.dtype.name
    if name not in numbers.TYPES:
        raise StorageError(f"arrays of {name} can't be stored; {', '.join(numbers.TYPES)} can")
    head: Pieces = [bytes([numbers.TYPES.index(name)]), Shape.of(record.values.shape)]
    if record.mask is not None:
        return [*head, *positions.encode(record.mask), *numbers.encode(record.values[record.mask])]
    whole = [*head, bytes([positions.ALL]), *numbers.encode(record.values)]
    if np.count_nonzero(words) > words.size - words.size // SOME_ZEROS:
        return whole
    kept = (words != 0).reshape(record.values.shape)
    sparse = [*head, *positions.encode(kept), *numbers.encode(record.values[kept])]
    return min(whole, sparse, key=symbols.size_of)


def decode(reader: Reader) -> Plain:
    name = numbers.TYPES[reader.number(0, len(numbers.TYPES) - 1, "number type")]
    shape = reader.shape()
    mask = positions.decode(reader, shape)
    kept = numbers.decode(reader, name, int(np.count_nonzero(mask)))
    values = np.zeros(shape, dtype=kept.dtype)
    values[mask] = kept
    return Plain(values, mask, name == "bfloat16")

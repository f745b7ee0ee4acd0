"""Where a weight is kept: a mask in the fewest bytes, exactly.

A mask is first made smaller by what repeats along its axes (rows, columns, blocks, whole kernels); what is left is
written as all, none, a bitmap, gaps from place to place (`sparse_index.py`), or groups of M along the input or kernel
axis that each show one of a few patterns (N:M, pattern kernels).
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from methods.numerics import bitpack
from methods.storage import symbols
from methods.storage.payload import Reader, StorageError, number
from methods.storage.symbols import PATTERNS, Pieces, Row, size_of

Mask = NDArray[np.bool_]

ALL, NONE, BITMAP, GAPS, GAPS_TURNED, GROUPS_IN, GROUPS_KERNEL = range(7)
UNFOLDED, REPEATED = 16, 32
"""Added to the mode where inputs and kernel are one axis, and where the mask was made smaller."""
FACTORS = (2, 3, 5, 7)
GROUP_LENGTHS, MOST_PATTERNS, LONGEST_GROUP = (4, 8, 16), 256, 32


def encode(mask: Mask) -> Pieces:
    """The pieces of a mask of any shape."""
    if mask.all():
        return [bytes([ALL])]
    if not mask.any():
        return [bytes([NONE])]
    found = [_outlined(mask.reshape(cube_of(mask.shape)), 0)]
    if prod(mask.shape[2:]) > 1:
        found.append(_outlined(mask.reshape(cube_of(mask.shape, unfolded=True)), UNFOLDED))
    return min(found, key=size_of)


def decode(reader: Reader, shape: tuple[int, ...]) -> Mask:
    """The mask of that shape that comes next. Raises StorageError."""
    mode = reader.take(1)[0]
    cube = cube_of(shape, unfolded=bool(mode & UNFOLDED))
    times = tuple(reader.number(1, max(1, size), "repeats") if mode & REPEATED else 1 for size in cube)
    small = _small(reader, mode & ~(UNFOLDED | REPEATED), _divided(cube, times))
    for axis, (factor, size) in enumerate(zip(times, cube)):
        small = (
            small
            if factor == 1
            else np.moveaxis(np.repeat(np.moveaxis(small, axis, 0), factor, axis=0)[:size], 0, axis)
        )
    return np.ascontiguousarray(small).reshape(shape)


def cube_of(shape: tuple[int, ...], unfolded: bool = False) -> tuple[int, int, int]:
    """Outputs, inputs, and places of the kernel, for a weight of any shape; with inputs times places where unfolded."""
    if len(shape) < 2:
        return 1, prod(shape), 1
    places = prod(shape[2:])
    return (shape[0], shape[1] * places, 1) if unfolded else (shape[0], shape[1], places)


def _outlined(cube: Mask, flags: int) -> Pieces:
    """A mask without what repeats along its axes, in its smallest form."""
    times = tuple(_repeats(cube, axis) for axis in range(3))
    small = np.ascontiguousarray(cube[:: times[0], :: times[1], :: times[2]])
    mode, pieces = min(_candidates(small), key=lambda candidate: size_of(candidate[1]))
    if times == (1, 1, 1):
        return [bytes([mode | flags]), *pieces]
    return [bytes([mode | flags | REPEATED]) + b"".join(map(number, times)), *pieces]


def _repeats(cube: Mask, axis: int) -> int:
    """How many neighbours along an axis are always alike; the last few may be less."""
    moved = np.moveaxis(cube, axis, 0)
    if (moved == moved[:1]).all():
        return len(moved)
    times = 1
    for factor in FACTORS:
        while True:
            outline = moved[::times]
            wider = np.repeat(outline[::factor], factor, axis=0)[: len(outline)]
            if factor > len(outline) or not np.array_equal(wider, outline):
                break
            times *= factor
    return times


def _divided(cube: tuple[int, ...], times: tuple[int, ...]) -> tuple[int, int, int]:
    outputs, inputs, places = (-(-size // factor) for size, factor in zip(cube, times))
    return outputs, inputs, places


def _candidates(cube: Mask) -> list[tuple[int, Pieces]]:
    flat = cube.reshape(-1)
    found: list[tuple[int, Pieces]] = [(BITMAP, [np.packbits(flat, bitorder="little").tobytes()])]
    if flat.mean() < 0.5:
        found.append((GAPS, symbols.encode_places(flat)))
        found.append((GAPS_TURNED, symbols.encode_places(_turned(cube))))
    for length in GROUP_LENGTHS:
        found += _grouped(GROUPS_IN, cube.transpose(0, 2, 1), length)
    if 2 <= cube.shape[2] <= LONGEST_GROUP:
        found += _grouped(GROUPS_KERNEL, cube, cube.shape[2])
    return found


def _turned(cube: Mask) -> Mask:
    """The mask input by input: inputs that are hardly read then make long gaps."""
    return np.asarray(cube.transpose(1, 2, 0).reshape(-1))


def _grouped(mode: int, cube: Mask, length: int) -> list[tuple[int, Pieces]]:
    """Groups of `length` along the last axis (of which the last may be short) as numbers of patterns, if few differ."""
    if cube.shape[2] < length:
        return []
    short = -cube.shape[2] % length
    groups = np.pad(cube, ((0, 0), (0, 0), (0, short))).reshape(-1, length)
    words = np.zeros(len(groups), dtype=np.int64)
    for place in range(length):
        words |= groups[:, place].astype(np.int64) << place
    patterns, index = _numbered(words, length)
    if len(patterns) > MOST_PATTERNS:
        return []
    book = np.packbits(patterns[:, None] >> np.arange(length) & 1, bitorder="little").tobytes()
    head = number(length) + bytes([len(patterns) - 1])
    return [(mode, [head, book, Row(index, PATTERNS)])]


def _numbered(words: NDArray[np.int64], bits: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """The words that occur, rising, and the number of each word among them (sense only up to 256 of them)."""
    if bits > GROUP_LENGTHS[-1]:
        found, number_of = np.unique(words, return_inverse=True)
        return found, number_of.reshape(-1).astype(np.uint8)
    found = np.flatnonzero(np.bincount(words))
    table = np.zeros(1 << bits, dtype=np.uint8)
    table[found[:MOST_PATTERNS]] = np.arange(min(len(found), MOST_PATTERNS))
    return found, table[words]


def _small(reader: Reader, mode: int, cube: tuple[int, int, int]) -> Mask:
    count = prod(cube)
    if mode in (ALL, NONE):
        return np.full(cube, mode == ALL)
    if mode == BITMAP:
        return _bits(reader, count).reshape(cube)
    if mode in (GAPS, GAPS_TURNED):
        flat = np.zeros(count, dtype=bool)
        flat[symbols.decode_places(reader, count)] = True
        turned = flat.reshape(cube[1], cube[2], cube[0]).transpose(2, 0, 1) if mode == GAPS_TURNED else flat
        return np.asarray(turned.reshape(cube))
    if mode == GROUPS_IN:
        return _read_groups(reader, (cube[0], cube[2], cube[1])).transpose(0, 2, 1)
    if mode == GROUPS_KERNEL:
        return _read_groups(reader, cube)
    raise StorageError(f"a packed tensor's places are written in an unknown way ({mode})")


def _read_groups(reader: Reader, cube: tuple[int, int, int]) -> Mask:
    length = reader.number(2, max(2, min(LONGEST_GROUP, cube[2])), "group")
    book = _bits(reader, (reader.take(1)[0] + 1) * length).reshape(-1, length)
    width = -(-cube[2] // length) * length
    index = symbols.decode(reader, cube[0] * cube[1] * width // length)
    if index.size and int(index.max()) >= len(book):
        raise StorageError(f"a pattern points past the {len(book)} that there are")
    whole = book[index].reshape(cube[0], cube[1], width)
    if whole[:, :, cube[2] :].any():
        raise StorageError("a pattern reaches past the end of its row")
    return np.asarray(whole[:, :, : cube[2]])


def _bits(reader: Reader, count: int) -> Mask:
    """Bits of whole bytes; those left over must be 0."""
    data = np.frombuffer(reader.take(bitpack.packed_bytes(count, 1)), dtype=np.uint8)
    bits = np.unpackbits(data, bitorder="little")
    if bits[count:].any():
        raise StorageError("a packed tensor's bitmap is longer than its places")
    return np.asarray(bits[:count] != 0)

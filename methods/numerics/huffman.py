"""Canonical Huffman codes of at most 15 bits for alphabets of up to 256 symbols: common codes get fewer bits.

The lengths are optimal under the limit (package-merge: Larmore and Hirschberg, 1990), so that 4 bits a symbol describe
the whole table. Symbols go in blocks; the length of each block in bits is kept beside the stream, and all blocks are
decoded at once, one symbol of each at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LIMIT = 15
BLOCK = 4096
"""Symbols of a block: at 15 bits each, its length still fits into 16 bits."""
CHUNK = 1 << 20
"""Fours of symbols that are put into place at a time, to bound the memory."""

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Stream:
    """A coded row of symbols: `lengths` `[alphabet]` of each code, `blocks` the bits of every block but the last."""

    lengths: Bytes
    blocks: NDArray[np.uint16]
    data: bytes


def code_lengths(counts: NDArray[np.int64]) -> Bytes:
    """The bits of each symbol's code, `[alphabet]`, 0 for symbols that don't occur; optimal for `counts`.

    Raises ValueError for more than 256 symbols or none that occurs.
    """
    present = np.flatnonzero(counts)
    if len(counts) > 256 or not len(present):
        raise ValueError(f"a code needs 1 to 256 symbols of which one occurs, not {len(counts)} with {len(present)}")
    lengths = np.zeros(len(counts), dtype=np.uint8)
    if len(present) == 1:
        lengths[present] = 1
        return lengths
    leaves: list[tuple[int, tuple[int, ...]]] = sorted((int(counts[s]), (int(s),)) for s in present)
    row = leaves
    for _ in range(LIMIT - 1):
        pairs = zip(row[0::2], row[1::2], strict=False)
        row = sorted(leaves + [(a[0] + b[0], a[1] + b[1]) for a, b in pairs])
    for _, symbols in row[: 2 * len(present) - 2]:
        np.add.at(lengths, list(symbols), 1)
    return lengths


def canonical_codes(lengths: Bytes) -> NDArray[np.uint16]:
    """The code of every symbol, in its lowest bits: shorter codes first, then by symbol.

    Raises ValueError for a table that is not a complete prefix code, but for a single symbol of one bit.
    """
    present = lengths[lengths > 0]
    room = 1 << LIMIT
    used = sum(room >> int(length) for length in present) if (lengths <= LIMIT).all() else 0
    if used != room and not (len(present) == 1 and present[0] == 1):
        raise ValueError("the code lengths don't form a complete prefix code")
    codes = np.zeros(len(lengths), dtype=np.uint16)
    code, last = 0, 0
    for length, symbol in sorted((int(n), s) for s, n in enumerate(lengths) if n):
        code <<= length - last
        codes[symbol], last = code, length
        code += 1
    return codes


def encode(symbols: Bytes, lengths: Bytes) -> Stream:
    """Codes `[n]` symbols, each of which must have a code in `lengths`."""
    if not symbols.size or not lengths[symbols].all():
        raise ValueError("there is nothing to code, or a symbol without a code")
    words, sizes = _fours(symbols, canonical_codes(lengths).astype(np.uint64), lengths)
    blocks = np.add.reduceat(sizes, np.arange(0, len(sizes), BLOCK // 4))
    ends = np.cumsum(sizes)
    data = np.zeros(int(ends[-1]) // 64 + 2, dtype=np.uint64)
    for at in range(0, len(words), CHUNK):
        part = slice(at, at + CHUNK)
        _place(data, words[part], ends[part], sizes[part])
    return Stream(lengths, blocks[:-1].astype(np.uint16), data.astype(">u8").tobytes()[: -(-int(ends[-1]) // 8)])


def decode(stream: Stream, count: int) -> Bytes:
    """The `count` symbols of a stream.

    Raises ValueError where table, blocks and data don't fit together, before anything larger than the data is made.
    """
    lookup = _lookup(stream.lengths)
    starts = _starts(stream, count)
    out = np.zeros((min(BLOCK, count), len(starts)), dtype=np.uint8)
    last = count - (len(starts) - 1) * BLOCK
    words, at = _words(stream.data), starts.copy()
    for step in range(len(out)):
        running = at if step < last else at[:-1]
        window = words[np.minimum(running >> 3, len(words) - 1)] >> (9 - (running & 7)) & ((1 << LIMIT) - 1)
        found = lookup[window]
        out[step, : len(running)] = found >> 4
        running += found & 15
    if not np.array_equal(at[:-1], starts[1:]) or not 0 <= len(stream.data) * 8 - at[-1] < 8:
        raise ValueError("the coded data does not end where its symbols do")
    return np.ascontiguousarray(out.T).reshape(-1)[:count]


def _fours(symbols: Bytes, codes: Words, lengths: Bytes) -> tuple[Words, NDArray[np.int64]]:
    """The codes of each four symbols as one, of at most 60 bits, and how many bits it has."""
    words, sizes = codes[symbols], lengths[symbols]
    for _ in range(2):
        if len(words) % 2:
            words, sizes = np.append(words, np.uint64(0)), np.append(sizes, np.uint8(0))
        words = words[0::2] << sizes[1::2].astype(np.uint64) | words[1::2]
        sizes = sizes[0::2] + sizes[1::2]
    return words, sizes.astype(np.int64)


def _place(data: Words, words: Words, ends: NDArray[np.int64], sizes: NDArray[np.int64]) -> None:
    """Puts codes where they end, in bits from the highest of the first of `data`; one may reach over two of them."""
    starts = ends - sizes
    cell = starts >> 6
    over = (starts & 63) + sizes - 64
    inside = np.where(
        over > 0, words >> np.maximum(over, 0).astype(np.uint64), words << np.maximum(-over, 0).astype(np.uint64)
    )
    np.add.at(data, cell, inside)
    reach = np.flatnonzero(over > 0)
    np.add.at(data, cell[reach] + 1, words[reach] << (64 - over[reach]).astype(np.uint64))


def _starts(stream: Stream, count: int) -> NDArray[np.int64]:
    """Where each block starts, in bits."""
    if not 0 < count <= len(stream.data) * 8:
        raise ValueError(f"{len(stream.data)} bytes can't hold {count} coded symbols")
    if len(stream.blocks) != (count - 1) // BLOCK:
        raise ValueError(f"{count} symbols take {(count - 1) // BLOCK + 1} blocks, not {len(stream.blocks) + 1}")
    starts = np.concatenate([[0], np.cumsum(stream.blocks, dtype=np.int64)])
    if starts[-1] >= len(stream.data) * 8:
        raise ValueError(f"the blocks of the coded data reach past its {len(stream.data)} bytes")
    return starts


def _lookup(lengths: Bytes) -> NDArray[np.uint16]:
    """For every window of 15 bits: 16 times the symbol that it starts with, plus its length; 0 where it starts with
    none."""
    codes = canonical_codes(lengths)
    found = np.zeros(1 << LIMIT, dtype=np.uint16)
    for s in np.flatnonzero(lengths):
        free = LIMIT - int(lengths[s])
        found[int(codes[s]) << free : (int(codes[s]) + 1) << free] = int(s) << 4 | int(lengths[s])
    return found


def _words(data: bytes) -> NDArray[np.int32]:
    """For every byte, the 24 bits that start there; zeros past the end."""
    padded = np.frombuffer(data + bytes(3), dtype=np.uint8).astype(np.int32)
    return padded[:-2] << 16 | padded[1:-1] << 8 | padded[2:]

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
CHUNK = 256
"""Blocks encoded at a time, to bound the memory."""

Bytes = NDArray[np.uint8]


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
    codes, sizes = canonical_codes(lengths), lengths[symbols].astype(np.int64)
    blocks = np.add.reduceat(sizes, np.arange(0, len(sizes), BLOCK))
    parts, rest = [], np.zeros(0, dtype=np.uint8)
    for at in range(0, len(symbols), BLOCK * CHUNK):
        part = slice(at, at + BLOCK * CHUNK)
        bits = np.concatenate([rest, _bits(codes[symbols[part]], sizes[part])])
        whole = len(bits) // 8 * 8
        parts.append(np.packbits(bits[:whole]).tobytes())
        rest = bits[whole:]
    return Stream(lengths, blocks[:-1].astype(np.uint16), b"".join(parts) + np.packbits(rest).tobytes())


def decode(stream: Stream, count: int) -> Bytes:
    """The `count` symbols of a stream.

    Raises ValueError where table, blocks and data don't fit together, before anything larger than the data is made.
    """
    symbol, size = _lookup(stream.lengths)
    starts = _starts(stream, count)
    out = np.zeros((len(starts), min(BLOCK, count)), dtype=np.uint8)
    last = count - (len(starts) - 1) * BLOCK
    words, at = _words(stream.data), starts.copy()
    for step in range(out.shape[1]):
        running = at if step < last else at[:-1]
        window = words[np.minimum(running >> 3, len(words) - 1)] >> (9 - (running & 7)) & ((1 << LIMIT) - 1)
        out[: len(running), step] = symbol[window]
        running += size[window]
    if not np.array_equal(at[:-1], starts[1:]) or not 0 <= len(stream.data) * 8 - at[-1] < 8:
        raise ValueError("the coded data does not end where its symbols do")
    return out.reshape(-1)[:count]


def _bits(codes: NDArray[np.uint16], sizes: NDArray[np.int64]) -> Bytes:
    """The codes one behind the other, a byte for each bit."""
    ends = np.cumsum(sizes)
    bits = np.zeros(int(ends[-1]), dtype=np.uint8)
    for place in range(int(sizes.max())):
        has = np.flatnonzero(sizes > place)
        bits[ends[has] - 1 - place] = (codes[has] >> place) & 1
    return bits


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


def _lookup(lengths: Bytes) -> tuple[Bytes, NDArray[np.int64]]:
    """For every window of 15 bits: the symbol that it starts with, and its length; 0 where it starts with none."""
    codes = canonical_codes(lengths)
    symbol = np.zeros(1 << LIMIT, dtype=np.uint8)
    size = np.zeros(1 << LIMIT, dtype=np.int64)
    for s in np.flatnonzero(lengths):
        free = LIMIT - int(lengths[s])
        reach = slice(int(codes[s]) << free, (int(codes[s]) + 1) << free)
        symbol[reach], size[reach] = s, lengths[s]
    return symbol, size


def _words(data: bytes) -> NDArray[np.int64]:
    """For every byte, the 24 bits that start there; zeros past the end."""
    padded = np.frombuffer(data + bytes(3), dtype=np.uint8).astype(np.int64)
    return padded[:-2] << 16 | padded[1:-1] << 8 | padded[2:]

"""Rows of symbols (codes, indices, gaps), each of at most 8 bits: whichever way of writing them is smallest.

One symbol throughout; fixed width; Huffman with a table of its own, or one that rows of a blob share (`pool.py`); or,
where one symbol is most of the row, the places of all others and those alone.
Huffman coding of indices and gaps is the third stage of Deep Compression (Han et al. 2016, arXiv 1510.00149).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from methods.numerics import bitpack, huffman, sparse_index
from methods.storage.payload import Reader, StorageError, number

Bytes = NDArray[np.uint8]

CONSTANT, OWN, SPARSE, SHARED, MOST_TABLES = 0, 9, 10, 11, 16
"""Modes; 1 to 8 are fixed widths, SHARED + t is shared table t."""
MOSTLY = 0.75
"""Share of one symbol from which on writing down the others alone can be worth it."""
VALUES, GAPS, PATTERNS = "values", "gaps", "patterns"
"""What a row says. Only rows that say the same share a table."""


@dataclass(eq=False)
class Row:
    """Symbols `[n]` in a blob that is being put together; `shared` the number of its shared table, if it has one."""

    symbols: Bytes
    role: str = VALUES
    shared: int | None = None

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often each symbol occurs, up to the highest that does."""
        return np.bincount(self.symbols)

    @cached_property
    def lengths(self) -> Bytes:
        """The best code of its own."""
        return huffman.code_lengths(self.counts)

    @cached_property
    def fixed_bytes(self) -> int:
        """Its bytes without Huffman codes."""
        if not self.symbols.size:
            return 0
        bits = (len(self.counts) - 1).bit_length()
        constant = int((self.counts > 0).sum()) == 1
        return 2 if constant else 1 + bitpack.packed_bytes(self.symbols.size, bits)

    @cached_property
    def own_bytes(self) -> int:
        """Its bytes where nothing is shared."""
        table = 1 + bitpack.packed_bytes(len(self.counts), 4)
        least = 1 + table + int(entropy_bits(self.counts)) // 8
        if least >= self.fixed_bytes or len(self.counts) == 1:
            return self.fixed_bytes
        return min(self.fixed_bytes, table + self.coded_bytes(self.lengths))

    def coded_bytes(self, lengths: Bytes) -> int:
        """Its bytes under a code, without the table; `lengths` may be longer than its own alphabet."""
        bits = int((self.counts * lengths[: len(self.counts)].astype(np.int64)).sum())
        return 1 + _stream_head(self.symbols.size, -(-bits // 8)) + -(-bits // 8)

    def to_bytes(self, tables: list[Bytes]) -> bytes:
        """The row as it stands in the blob."""
        if not self.symbols.size:
            return b""
        if self.shared is not None:
            return bytes([SHARED + self.shared]) + _stream(self.symbols, tables[self.shared])
        if self.own_bytes < self.fixed_bytes:
            return bytes([OWN]) + table_bytes(self.lengths) + _stream(self.symbols, self.lengths)
        if self.fixed_bytes == 2 and int((self.counts > 0).sum()) == 1:
            return bytes([CONSTANT, int(self.symbols[0])])
        bits = (len(self.counts) - 1).bit_length()
        return bytes([bits]) + bitpack.pack(self.symbols, bits)


Pieces = list["bytes | Row"]


def size_of(pieces: Pieces) -> int:
    """The bytes of pieces where nothing is shared."""
    return sum(piece.own_bytes if isinstance(piece, Row) else len(piece) for piece in pieces)


def encode(symbols: Bytes, role: str = VALUES) -> Pieces:
    """The pieces of `[n]` symbols: a row, or the places of the rarer symbols and those."""
    row = Row(np.ascontiguousarray(symbols, dtype=np.uint8).reshape(-1), role)
    if not row.symbols.size or not MOSTLY <= row.counts.max() / row.symbols.size < 1.0:
        return [row]
    common = int(row.counts.argmax())
    apart = row.symbols != common
    sparse = [bytes([SPARSE, common]), *encode_places(apart), Row(row.symbols[apart], role)]
    return sparse if size_of(sparse) < row.own_bytes else [row]


def encode_places(mask: NDArray[np.bool_]) -> Pieces:
    """Where a flat mask is set, as gaps of the width that takes the fewest bytes."""
    best: Pieces | None = None
    for bits, gaps in sorted(sparse_index.candidates(mask).items(), key=lambda item: entropy_bits(item[1])):
        filled = int(gaps.sum())
        if best is not None and size_of(best) <= 1 + entropy_bits(gaps) // 8:
            break
        row = Row(sparse_index.to_gaps(mask, bits), GAPS)
        pieces: Pieces = [bytes([bits]), number(filled), row]
        if best is None or size_of(pieces) < size_of(best):
            best = pieces
    assert best is not None
    return best


def decode(reader: Reader, count: int, plain: bool = False) -> Bytes:
    """The `count` symbols that come next; `plain` ones only are no places of others. Raises StorageError."""
    if not count:
        return np.zeros(0, dtype=np.uint8)
    mode = reader.take(1)[0]
    if mode == CONSTANT:
        return np.full(count, reader.take(1)[0], dtype=np.uint8)
    if mode <= 8:
        return bitpack.unpack(reader.take(bitpack.packed_bytes(count, mode)), mode, count)
    if mode == OWN:
        return _read_stream(reader, read_table(reader), count)
    if mode == SPARSE and not plain:
        symbols = np.full(count, reader.take(1)[0], dtype=np.uint8)
        places = decode_places(reader, count)
        symbols[places] = decode(reader, len(places), plain=True)
        return symbols
    if not 0 <= mode - SHARED < len(reader.tables):
        raise StorageError(f"a packed tensor's symbols are written in an unknown way ({mode})")
    return _read_stream(reader, reader.tables[mode - SHARED], count)


def decode_places(reader: Reader, count: int) -> NDArray[np.int64]:
    """Which of `count` places are set, rising. Raises StorageError where one lies outside."""
    bits = reader.number(sparse_index.LEAST_BITS, sparse_index.MOST_BITS, "index width")
    gaps = decode(reader, reader.number(0, count, "count of gaps"), plain=True)
    try:
        return sparse_index.from_gaps(gaps, bits, count)
    except ValueError as error:
        raise StorageError(f"a packed tensor's places can't be read: {error}") from error


def table_bytes(lengths: Bytes) -> bytes:
    """A code table: how many symbols it has, and 4 bits for the length of each."""
    return bytes([len(lengths) - 1]) + bitpack.pack(lengths, 4)


def read_table(reader: Reader) -> Bytes:
    """The table that comes next."""
    alphabet = reader.take(1)[0] + 1
    return bitpack.unpack(reader.take(bitpack.packed_bytes(alphabet, 4)), 4, alphabet)


def entropy_bits(counts: NDArray[np.int64]) -> float:
    """The fewest bits that any code without context needs for symbols that occur so often."""
    seen = counts[counts > 0].astype(np.float64)
    return float((seen * np.log2(seen.sum() / seen)).sum()) if seen.size else 0.0


def _stream_head(count: int, data: int) -> int:
    return len(number(data)) + 2 * ((count - 1) // huffman.BLOCK)


def _stream(symbols: Bytes, lengths: Bytes) -> bytes:
    stream = huffman.encode(symbols, lengths)
    return number(len(stream.data)) + stream.blocks.astype("<u2").tobytes() + stream.data


def _read_stream(reader: Reader, lengths: Bytes, count: int) -> Bytes:
    size = reader.number(1, len(reader), "count of bytes")
    if count > size * 8:
        raise StorageError(f"{size} bytes can't hold {count} coded values")
    blocks = reader.array("uint16", (count - 1) // huffman.BLOCK)
    try:
        return huffman.decode(huffman.Stream(lengths, blocks, reader.take(size)), count)
    except ValueError as error:
        raise StorageError(f"a packed tensor can't be decoded: {error}") from error

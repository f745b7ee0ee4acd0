"""A Huffman-coded row of symbols as bytes: 4-bit code lengths, the blocks' bits, then the coded data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from methods.numerics import bitpack, huffman
from methods.storage.payload import Reader, StorageError

Bytes = NDArray[np.uint8]


def coded_bytes(symbols: Bytes, alphabet: int) -> int:
    """How many bytes `encode` would make, without coding anything."""
    counts = np.bincount(symbols.reshape(-1), minlength=alphabet)
    bits = int((counts * huffman.code_lengths(counts)).sum())
    return bitpack.packed_bytes(alphabet, 4) + 2 * ((symbols.size - 1) // huffman.BLOCK) + -(-bits // 8)


def encode(symbols: Bytes, alphabet: int) -> bytes:
    """The symbols (at least one, each below `alphabet`) with their code table in front."""
    flat = symbols.reshape(-1)
    lengths = huffman.code_lengths(np.bincount(flat, minlength=alphabet))
    stream = huffman.encode(flat, lengths)
    return bitpack.pack(lengths, 4) + stream.blocks.astype("<u2").tobytes() + stream.data


def decode(reader: Reader, alphabet: int, count: int) -> Bytes:
    """The `count` symbols that the rest of the payload holds. Raises StorageError where it doesn't."""
    lengths = bitpack.unpack(reader.take(bitpack.packed_bytes(alphabet, 4)), 4, alphabet)
    if not 0 < count <= len(reader) * 8:
        raise StorageError(f"{len(reader)} bytes can't hold {count} coded values")
    blocks = reader.array("uint16", ((count - 1) // huffman.BLOCK,))
    try:
        return huffman.decode(huffman.Stream(lengths, blocks, reader.rest()), count)
    except ValueError as error:
        raise StorageError(f"a packed tensor can't be decoded: {error}") from error

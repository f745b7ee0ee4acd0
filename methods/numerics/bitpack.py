"""Unsigned codes of 1 to 8 bits, packed without gaps: what turns "5-bit indices" into five bits a weight on disk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GROUP = 8
"""Eight codes of b bits fill exactly b bytes, so that groups can be packed independently of each other."""


def packed_bytes(count: int, bits: int) -> int:
    """The length of `count` codes of `bits` bits, in bytes."""
    return -(-count * bits // 8)


def pack(codes: NDArray[np.uint8], bits: int) -> bytes:
    """Packs `[n]` codes below 2**bits, the first code in the lowest bits of the first byte.

    Raises ValueError for a width outside 1 to 8 or a code that does not fit it.
    """
    _check_bits(bits)
    flat = np.ascontiguousarray(codes, dtype=np.uint8).reshape(-1)
    if flat.size and int(flat.max()) >> bits:
        raise ValueError(f"code {int(flat.max())} does not fit into {bits} bits; the largest is {(1 << bits) - 1}")
    if bits == 8:
        return flat.tobytes()
    words = np.zeros(-(-flat.size // GROUP), dtype="<u8")
    words.view(np.uint8)[: flat.size] = flat
    for near, far, shift in _steps(bits):
        words = (words & near) | ((words >> shift) & far)
    packed = np.ascontiguousarray(words.view(np.uint8).reshape(-1, GROUP)[:, :bits])
    return packed.tobytes()[: packed_bytes(flat.size, bits)]


def unpack(data: bytes, bits: int, count: int) -> NDArray[np.uint8]:
    """The inverse of `pack`: `[count]` codes. Raises ValueError where `data` is not exactly as long as they need."""
    _check_bits(bits)
    if count < 0 or len(data) != packed_bytes(count, bits):
        raise ValueError(f"{count} codes of {bits} bits take {packed_bytes(count, bits)} bytes, not {len(data)}")
    if bits == 8:
        return np.frombuffer(data, dtype=np.uint8).copy()
    groups = -(-count // GROUP)
    padded = np.zeros((groups, GROUP), dtype=np.uint8)
    whole = np.frombuffer(data + bytes(groups * bits - len(data)), dtype=np.uint8)
    padded[:, :bits] = whole.reshape(groups, bits)
    words = padded.view("<u8").reshape(-1)
    for near, far, shift in reversed(_steps(bits)):
        words = (words & near) | ((words & far) << shift)
    return words.view(np.uint8)[:count].copy()


def _steps(bits: int) -> list[tuple[np.uint64, np.uint64, np.uint64]]:
    """How eight codes, a byte each in a word of 64 bits, move together: two by two, then pairs, then fours.

    Of each two, the near one stays, and the far one moves down right above it; masks are for where they stand then.
    """
    steps = []
    for field, used in ((8, bits), (16, 2 * bits), (32, 4 * bits)):
        near = sum(((1 << used) - 1) << place for place in range(0, 64, 2 * field))
        steps.append((np.uint64(near), np.uint64(near << used), np.uint64(field - used)))
    return steps


def _check_bits(bits: int) -> None:
    if not 1 <= bits <= 8:
        raise ValueError(f"codes may be 1 to 8 bits wide, not {bits}")

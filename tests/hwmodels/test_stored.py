"""Estimated bits of a weight on disk, against what the storage codes really take."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from hwmodels.stored import stored_bits_per_weight
from hwmodels.workload import Op, TensorSpec
from methods.storage import positions
from methods.storage.symbols import size_of

RANDOM = np.random.default_rng(0)
SHAPE = (128, 64, 3, 3)


def op(density: float, pattern: str = "", bits: float = 0.0, shape: tuple[int, ...] = SHAPE) -> Op:
    """A convolution or linear layer with weights of that form."""
    return Op("fc", "linear", (), (), (TensorSpec(shape),), stored_bits=bits, density=density, pattern=pattern)


def units(*counts: int, share: float = 0.3) -> NDArray[np.bool_]:
    """Units of a mask, kept at random."""
    return np.asarray(RANDOM.random(counts) < share)


def whole(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask of `SHAPE` from one that has an axis of length 1 where it repeats."""
    return np.asarray(np.broadcast_to(mask, SHAPE))


GROUPS = (np.argsort(RANDOM.random((128, 144, 4)), -1) < 2).reshape(SHAPE)
FOURS = np.array([np.isin(range(9), kept) for kept in combinations(range(9), 4)])[:128:16]
KERNELS = FOURS[RANDOM.integers(0, 8, (128, 64))].reshape(SHAPE)
STRIDED = (np.arange(9).reshape(3, 3) % 2 == 0) & (np.arange(3) % 2 == 0)[:, None]
MASKS = {
    "": units(*SHAPE, share=0.1),
    "2:4": GROUPS,
    "block:4x1": np.repeat(units(32, 576), 4, axis=0).reshape(SHAPE),
    "block:2x3": np.repeat(np.repeat(units(64, 192), 2, axis=0), 3, axis=1).reshape(SHAPE),
    "row": whole(units(128, 1, 1, 1)),
    "column": whole(units(1, *SHAPE[1:])),
    "kernel": whole(units(128, 64, 1, 1)),
    "strided:2": whole(STRIDED),
    "pattern:4": KERNELS,
    "pattern:4+kernel": KERNELS & whole(units(128, 64, 1, 1)),
    "strided:2+kernel": whole(STRIDED) & units(128, 64, 1, 1),
}


@pytest.mark.parametrize("pattern", MASKS)
def test_the_estimate_is_what_the_positions_take(pattern: str) -> None:
    """Within 6 % and 60 bytes (tables, heads), for every pattern that a plan knows."""
    mask = MASKS[pattern]
    values = 4 * float(mask.mean())
    estimated = (stored_bits_per_weight(op(float(mask.mean()), pattern, 4.0)) - values) * mask.size / 8
    assert estimated == pytest.approx(size_of(positions.encode(mask)), rel=0.06, abs=60)


def test_dense_weights_take_their_width() -> None:
    """32 bits as they are, those of codes or of indices otherwise."""
    assert stored_bits_per_weight(op(1.0)) == 32.0
    assert stored_bits_per_weight(op(1.0, bits=5.0)) == 5.0
    assert stored_bits_per_weight(Op("fc", "linear", (), (), (TensorSpec(SHAPE, 8),))) == 8.0


def test_places_never_make_weights_larger() -> None:
    """Half of one-bit weights: all of them are stored, since places would take more."""
    assert stored_bits_per_weight(op(0.5, bits=1.0)) == 1.0


def test_fewer_weights_take_fewer_bits() -> None:
    """Strictly, over the shares that a search tries."""
    bits = [stored_bits_per_weight(op(share, bits=5.0)) for share in (0.5, 0.3, 0.2, 0.1, 0.05, 0.01)]
    assert all(more > less for more, less in pairwise(bits))

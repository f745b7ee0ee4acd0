"""DoReFa: weights squeezed by a hyperbolic tangent and spread evenly over 2^k levels between -1 and 1.

The tangent rises, so that "squeeze, round, spread" is the same as "find the cell between edges": the edges are those
of the rounding, taken back through the tangent.

Reference: Zhou et al., "DoReFa-Net", 2016, arXiv 1606.06160, equations 5 to 9.
"""

from __future__ import annotations

import torch
from torch import Tensor

from methods.numerics.levels import Levels, binary, checked, halfway

ON_GRID = 1e-5
"""How near to the levels, relative to the largest, a weight lies that is on them already."""


def quantise_k(values: Tensor, bits: int) -> Tensor:
    """`round((2^k - 1) r) / (2^k - 1)` for numbers between 0 and 1; 32 bits leave them as they are.

    Raises ValueError for a width that is neither 1 to 8 nor 32.
    """
    check_bits(bits)
    if bits == 32:
        return values
    steps = (1 << bits) - 1
    return torch.round(values * steps) / steps


def dorefa_slowly(weight: Tensor, bits: int) -> Tensor:
    """A weight as the paper writes it, between -1 and 1: the twin of `dorefa(...).project` without its scale."""
    if check_bits(bits) == 32:
        return weight
    if bits == 1:
        return torch.where(weight < 0, -1.0, 1.0) * weight.abs().mean()
    squeezed = torch.tanh(weight.double())
    return (2 * quantise_k(squeezed / (2 * squeezed.abs().max()) + 0.5, bits) - 1).float()


def dorefa(weight: Tensor, bits: int, scaled: bool = True) -> Levels:
    """The 2^k levels of a weight and their edges; one bit is the sign times the mean magnitude of the layer.

    Args:
        scaled: times the factor with the least squared error, so that the layer's outputs keep their size; without it
            the levels reach from -1 to 1, as in the paper, which a batch normalisation has to make up for.

    A weight that lies on the levels already stays as it is. Raises ValueError for a width other than 1 to 8 and a
    weight that is not finite.
    """
    if check_bits(bits) == 32:
        raise ValueError("32 bits are no levels: leave the weight as it is")
    if bits == 1:
        return binary(weight, "layer")
    flat = checked(weight).reshape(-1)
    largest = flat.abs().max()
    pattern = torch.linspace(-1.0, 1.0, 1 << bits, dtype=torch.float64)
    cuts = halfway(pattern)
    if _on_grid(flat, largest, pattern):
        scale, edges = largest, cuts * largest
    else:
        edges = torch.atanh(cuts * torch.tanh(largest))
        scale = _best_scale(flat, pattern[torch.searchsorted(edges.float(), flat.float(), right=True)])
    if not scaled and float(largest):
        scale = torch.ones(())
    return Levels(scale.reshape(1).float(), pattern.float(), edges.float())


def check_bits(bits: int) -> int:
    """The width, which must be 1 to 8 or 32. Raises ValueError."""
    if isinstance(bits, bool) or not (1 <= bits <= 8 or bits == 32):
        raise ValueError(f"levels take 1 to 8 bits, or 32 for floats, not {bits!r}")
    return bits


def _on_grid(flat: Tensor, largest: Tensor, pattern: Tensor) -> bool:
    """Whether every number is one of the levels, times the largest."""
    places = (flat / largest.clamp_min(1e-300) + 1) / 2 * (len(pattern) - 1)
    return bool(((places - places.round()).abs() < ON_GRID * len(pattern)).all())


def _best_scale(flat: Tensor, levels: Tensor) -> Tensor:
    return (flat * levels).sum() / levels.square().sum().clamp_min(1e-300)

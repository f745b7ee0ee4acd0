"""Sums of binary bases: every weight is a combination +-v_1 +-v_2 ... +-v_k of a few numbers, k bits in all.

The basis comes from the residual, one number after the other (greedy), and gets better by turns: codes for the basis,
then the least-squares basis for the codes, neither of which can make the error larger.

References: Guo et al., "Network sketching", 2017, arXiv 1706.02021 (greedy and refined); Xu et al., "Alternating
multi-bit quantization for recurrent neural networks", 2018, arXiv 1802.00150; Zhang et al., "LQ-Nets", 2018, arXiv
1807.10029.
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from methods.numerics.levels import Levels, checked, halfway

MOST_BITS = 8
ROUNDS = 20


def combinations(basis: Tensor) -> Tensor:
    """All +- combinations of a basis `[..., k]`, rising: `[..., 2^k]`."""
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=basis.shape[-1])), dtype=basis.dtype)
    return (basis @ signs.T).sort(-1).values


def greedy_basis(rows: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """The basis `[rows, k]` and the signs `[rows, n, k]`: each base is the sign of what the ones before left over."""
    residual, basis, signs = rows, [], []
    for _ in range(bits):
        sign = torch.where(residual < 0, -1.0, 1.0).to(rows.dtype)
        basis.append(residual.abs().mean(1, keepdim=True))
        signs.append(sign)
        residual = residual - basis[-1] * sign
    return torch.cat(basis, 1), torch.stack(signs, 2)


def refined(rows: Tensor, signs: Tensor) -> Tensor:
    """The least-squares basis `[rows, k]` for given signs `[rows, n, k]`."""
    squares = signs.transpose(1, 2) @ signs
    basis: Tensor = torch.linalg.pinv(squares, hermitian=True) @ (signs.transpose(1, 2) @ rows[..., None])
    return basis[..., 0]


def alternating_basis(rows: Tensor, bits: int, rounds: int = ROUNDS) -> Tensor:
    """The basis `[rows, k]` of magnitudes after up to `rounds` turns, from two starts: the greedy basis, and the best
    one of k - 1 with one more base, so that neither more turns nor more bases make the error larger."""
    basis = rows.new_zeros(len(rows), 0)
    signs = rows.new_zeros(*rows.shape, 0)
    for count in range(1, bits + 1):
        base, sign = greedy_basis(rows - (signs @ basis[..., None])[..., 0], 1)
        grown = _turns(rows, torch.cat([basis, base], 1), torch.cat([signs, sign], 2), rounds)
        fresh = _turns(rows, *greedy_basis(rows, count), rounds)
        errors = [_error(rows, b, nearest_signs(rows, b)) for b in (grown, fresh)]
        basis = torch.where((errors[0] <= errors[1])[:, None], grown, fresh)
        signs = nearest_signs(rows, basis)
    return basis.abs()


def _turns(rows: Tensor, best: Tensor, signs: Tensor, rounds: int) -> Tensor:
    """The basis after up to `rounds` turns from the given one and its signs."""
    least = _error(rows, best, signs)
    for _ in range(rounds):
        basis = refined(rows, signs)
        signs = nearest_signs(rows, basis)
        error = _error(rows, basis, signs)
        better = error < least
        if not bool(better.any()):
            break
        best, least = torch.where(better[:, None], basis, best), torch.minimum(least, error)
    return best


def _error(rows: Tensor, basis: Tensor, signs: Tensor) -> Tensor:
    """The squared error of every row, `[rows]`."""
    return (rows - (signs @ basis[..., None])[..., 0]).square().sum(1)


def nearest_signs(rows: Tensor, basis: Tensor) -> Tensor:
    """For every number the signs `[rows, n, k]` whose combination lies nearest."""
    table = torch.tensor(list(product((-1.0, 1.0), repeat=basis.shape[1])), dtype=rows.dtype)
    values, order = (basis @ table.T).sort(1)
    cells = torch.searchsorted(halfway(values).contiguous(), rows.contiguous(), right=True)
    return table[order.gather(1, cells)]


def multi_bit(weight: Tensor, bits: int, per_channel: bool = False) -> Levels:
    """The levels of a weight `[out, ...]`: all combinations of its basis; for the whole layer `[2^k]`.

    Raises ValueError for another width than 1 to 8 bits and a weight that is not finite.
    """
    if isinstance(bits, bool) or not 1 <= bits <= MOST_BITS:
        raise ValueError(f"sums of binary bases take 1 to {MOST_BITS} bits, not {bits!r}")
    rows = checked(weight)
    values = combinations(alternating_basis(rows if per_channel else rows.reshape(1, -1), bits))
    values = values if per_channel else values[0]
    return Levels(torch.ones(1), values.float(), halfway(values).float())

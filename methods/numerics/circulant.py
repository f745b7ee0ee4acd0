"""Block-circulant weights: of each b x b block only one column is kept, the others are its rotations.

    block[r, c] = column[(r - c) mod b],   W = block-circulant * D,   D = diag(flips), random signs of the inputs

so that a block times a vector is a circular convolution, ifft(fft(column) * fft(D x)): b log b steps instead of b^2.
A weight that b does not divide is cut out of the next larger one; a b as large as the longer side makes one circulant
matrix of the whole. Of a convolution each place of the kernel is a matrix of its own, output by input channels.

Reference: Cheng et al., "An exploration of parameter redundancy in deep networks with circulant projections", 2015,
arXiv 1502.03436; Ding et al., "CirCNN", 2017, arXiv 1708.08917 (blocks).
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor


def blocks_shape(shape: tuple[int, ...], block: int) -> tuple[int, int, int, int]:
    """The columns of a weight `[out, in, *kernel]`: `(places, rows, cols, block)`, one for each block.

    Raises ValueError for a block of less than one or larger than both sides, which is the whole weight.
    """
    if len(shape) < 2 or not 1 <= block <= max(shape[:2]):
        raise ValueError(f"a weight of shape {shape} takes circulant blocks of 1 to {max(shape[:2])}, not {block}")
    return prod(shape[2:]), -(-shape[0] // block), -(-shape[1] // block), block


def diagonals(shape: tuple[int, ...], block: int) -> Tensor:
    """Which of the columns' numbers each entry of the weight is: int64 of `shape`, into the columns laid out flat."""
    _, rows, cols, _ = blocks_shape(shape, block)
    out, into = torch.arange(shape[0])[:, None], torch.arange(shape[1])[None, :]
    matrix = (out // block * cols + into // block) * block + (out - into) % block
    places = torch.arange(prod(shape[2:])).reshape(shape[2:])
    return matrix.reshape(*shape[:2], *[1] * (len(shape) - 2)) + places * rows * cols * block


def random_flips(inputs: int, seed: int) -> Tensor:
    """Signs of the inputs, int8 `[inputs]` of 1 and -1."""
    return 1 - 2 * torch.randint(0, 2, (inputs,), generator=torch.Generator().manual_seed(seed), dtype=torch.int8)


def best_columns(weight: Tensor, block: int, flips: Tensor) -> Tensor:
    """The columns `[places, rows, cols, block]` with the least squared error: means over the wrapped diagonals.

    A diagonal that lies outside the weight altogether is 0.
    """
    shape = blocks_shape(tuple(weight.shape), block)
    index = diagonals(tuple(weight.shape), block).reshape(-1)
    values = (weight.double() * _along_inputs(flips, weight.dim())).reshape(-1)
    sums = torch.zeros(prod(shape), dtype=torch.float64).index_add_(0, index, values)
    members = torch.bincount(index, minlength=prod(shape)).clamp_min(1)
    return (sums / members).to(weight.dtype).reshape(shape)


def expanded(columns: Tensor, shape: tuple[int, ...], flips: Tensor) -> Tensor:
    """The weight of `shape` `[out, in, *kernel]` that the columns stand for."""
    index = diagonals(shape, columns.shape[-1])
    weight: Tensor = columns.reshape(-1)[index] * _along_inputs(flips, len(shape)).to(columns.dtype)
    return weight


def product(columns: Tensor, inputs: Tensor, flips: Tensor, out: int) -> Tensor:
    """`inputs` `[n, in]` times the transposed weight `[out, in]`, `[n, out]`, by Fourier transforms; differentiable.

    `columns` is `[1, rows, cols, block]`: the weight of a linear layer or of a 1x1 convolution.
    """
    _, _, cols, block = columns.shape
    flipped = inputs * flips.to(inputs.dtype)
    padded = torch.nn.functional.pad(flipped, (0, cols * block - inputs.shape[1]))
    spectrum = torch.fft.rfft(padded.reshape(len(inputs), cols, block))
    mixed = torch.einsum("ncf,rcf->nrf", spectrum, torch.fft.rfft(columns[0]))
    result: Tensor = torch.fft.irfft(mixed, n=block).reshape(len(inputs), -1)[:, :out]
    return result


def _along_inputs(flips: Tensor, dimensions: int) -> Tensor:
    return flips.reshape(1, -1, *[1] * (dimensions - 2))

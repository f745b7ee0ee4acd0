"""Number formats that are sets of levels: binary and ternary weights, with the scales that fit a weight best.

A weight `[out, ...]` becomes `scale * pattern[cell]`, where the cell of an entry is found between rising edges. An
entry on an edge belongs to the cell above it.

References: Courbariaux et al., "BinaryConnect", 2015, arXiv 1511.00363; Rastegari et al., "XNOR-Net", 2016, arXiv
1603.05279, section 3.1; Li, Zhang and Liu, "Ternary weight networks", 2016, arXiv 1605.04711; Zhu et al., "Trained
ternary quantization", 2017, arXiv 1612.01064; McDonnell, "Training wide residual networks for deployment using a
single bit for each weight", 2018, arXiv 1802.08530 (a scale from the fan-in alone).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

SMALLEST = torch.finfo(torch.float32).tiny
"""The smallest normal float: what lies nearer to zero counts as zero."""

BINARY_SCALES = ("channel", "layer", "fan-in", "one")


@dataclass(frozen=True)
class Levels:
    """A set of levels: `scale` `[1]`, `[k]` or `[out, 1]` times a rising `pattern` `[k]` or `[out, k]`, and what
    separates them: `edges` `[k - 1]`, or `[out, k - 1]` where the levels have rows.
    """

    scale: Tensor
    pattern: Tensor
    edges: Tensor

    @property
    def values(self) -> Tensor:
        """The levels themselves, `[k]` or `[out, k]`."""
        return self.scale * self.pattern

    @property
    def bits(self) -> int:
        """The width of a level's number."""
        return max(1, (self.pattern.shape[-1] - 1).bit_length())

    @property
    def has_zero(self) -> bool:
        """Whether zeros stay zeros."""
        return bool((self.pattern == 0).any())

    def project(self, weight: Tensor) -> Tensor:
        """The weight with every entry on the level of its cell; same shape."""
        rows = weight.detach().reshape(len(weight), -1)
        edges, values = (t if t.dim() == 2 else t.expand(len(rows), -1) for t in (self.edges, self.values))
        cells = torch.searchsorted(edges.contiguous(), rows.contiguous(), right=True)
        return values.gather(1, cells).reshape(weight.shape)


def snapped_slowly(value: float, levels: list[float], edges: list[float]) -> float:
    """One entry, from the definition: up one level for each edge that it reaches. The obvious twin of `project`."""
    return levels[sum(value >= edge for edge in edges)]


def checked(weight: Tensor) -> Tensor:
    """The weight as `[out, n]` doubles. Raises ValueError where it is empty or not finite."""
    rows = weight.detach().reshape(len(weight), -1).double()
    if not rows.numel():
        raise ValueError("it has no entries")
    if not bool(torch.isfinite(rows).all()):
        raise ValueError("it holds numbers that are not finite; train the network again or leave this layer as it is")
    return rows


def halfway(values: Tensor) -> Tensor:
    """The edges that give every number its nearest level: `[..., k]` rising levels to `[..., k - 1]`."""
    return (values[..., 1:] + values[..., :-1]) / 2


def binary(weight: Tensor, scale: str = "channel") -> Levels:
    """The two levels +-alpha; zeros count as positive.

    Args:
        scale: what alpha is: "channel" or "layer" for the mean magnitude of each (the least-squares optimum), "fan-in"
            for sqrt(2 / fan-in), "one" for 1.

    Raises ValueError for a weight that is not finite, and another scale.
    """
    rows = checked(weight)
    if scale == "channel":
        alpha = rows.abs().mean(1, keepdim=True)
    elif scale == "layer":
        alpha = rows.abs().mean().reshape(1)
    elif scale in BINARY_SCALES:
        alpha = torch.full((1,), sqrt(2 / rows.shape[1]) if scale == "fan-in" else 1.0)
    else:
        raise ValueError(f"the scale may be {', '.join(BINARY_SCALES)}, not {scale!r}")
    edges = torch.zeros(len(rows), 1) if alpha.dim() == 2 else torch.zeros(1)
    return Levels(alpha.float(), torch.tensor([-1.0, 1.0]), edges)


def twn(weight: Tensor, factor: float = 0.7, per_channel: bool = False) -> Levels:
    """Ternary weights by a rule: what is larger than `factor` times the mean magnitude becomes +-alpha, the mean of
    those magnitudes; the rest becomes zero.

    Raises ValueError for a factor that is not positive and a weight that is not finite.
    """
    rows = _grouped(weight, per_channel).abs()
    _check_positive("the threshold", factor)
    return _ternary(rows, factor * rows.mean(1, keepdim=True), per_channel)


def best_ternary(weight: Tensor, per_channel: bool = False) -> Levels:
    """Ternary weights with the least squared error: all thresholds are tried, on sorted magnitudes.

    Keeping the m largest explains (their sum)^2 / m of the squares.
    """
    rows = _grouped(weight, per_channel).abs().sort(1, descending=True).values
    counts = torch.arange(1, rows.shape[1] + 1, dtype=rows.dtype)
    kept = (rows.cumsum(1).square() / counts).argmax(1, keepdim=True)
    padded = torch.cat([rows, torch.zeros_like(rows[:, :1])], 1)
    return _ternary(rows, (padded.gather(1, kept) + padded.gather(1, kept + 1)) / 2, per_channel)


def ttq(weight: Tensor, share: float = 0.05) -> Levels:
    """Ternary weights with two scales: levels -Wn, 0 and Wp, told apart at `share` times the largest magnitude.

    The scales start as the mean magnitude on their side; a side without entries starts with that of the other.
    Raises ValueError for a share outside (0, 1) and a weight that is not finite.
    """
    flat = checked(weight).reshape(-1)
    if not 0.0 < share < 1.0:
        raise ValueError(f"the threshold is a share of the largest weight, above 0 and below 1, not {share!r}")
    delta = _as_edge(share * flat.abs().max())
    below, above = -flat[flat < -delta], flat[flat > delta]
    sides = [_mean(below, above), 1.0, _mean(above, below)]
    return Levels(torch.tensor(sides), torch.tensor([-1.0, 0.0, 1.0]), _around_zero(delta.reshape(1)))


def _mean(entries: Tensor, others: Tensor) -> float:
    """The mean of the entries; of the others where there are none, and 0 where there are neither."""
    chosen = entries if len(entries) else others
    return float(chosen.mean()) if len(chosen) else 0.0


def _ternary(magnitudes: Tensor, delta: Tensor, per_channel: bool) -> Levels:
    """Levels from the magnitudes `[rows, n]` and the threshold `[rows, 1]`."""
    delta = _as_edge(delta)
    kept = magnitudes > delta
    alpha = (magnitudes * kept).sum(1, keepdim=True) / kept.sum(1, keepdim=True).clamp_min(1)
    edges = _around_zero(delta)
    if not per_channel:
        alpha, edges = alpha.reshape(1), edges.reshape(2)
    return Levels(alpha.float(), torch.tensor([-1.0, 0.0, 1.0]), edges)


def _grouped(weight: Tensor, per_channel: bool) -> Tensor:
    rows = checked(weight)
    return rows if per_channel else rows.reshape(1, -1)


def _as_edge(delta: Tensor) -> Tensor:
    """A threshold as the float32 that entries are compared with; never below the smallest normal number."""
    return delta.float().clamp_min(SMALLEST).double()


def _around_zero(delta: Tensor) -> Tensor:
    """The edges of the middle cell, `[..., 2]`, which holds -delta and delta themselves: the upper is one float on."""
    near = delta.float()
    return torch.cat([-near, torch.nextafter(near, torch.tensor(torch.inf))], -1)


def _check_positive(what: str, value: float) -> None:
    if not 0.0 < value < float("inf"):
        raise ValueError(f"{what} must be a positive number, not {value!r}")

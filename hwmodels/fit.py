"""A cheap latency per operator, fitted to looked-up networks: a constant and rates of MACs and bytes, per kind.

For plans over thousands of recipes that differ in width: a plan needs the trend, and what it proposes is looked up
afterwards. Kernels work on blocks of channels and do a block's work for the first channel of it, so MACs count twice:
as they are, and as those of whole blocks; of a few block sizes the one that explains most is taken.

Coefficients are non-negative (Lawson and Hanson, "Solving Least Squares Problems", 1974, ch. 23), so that more work
never costs less. Where few networks leave them open, a weak pull draws them to what all kinds share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwmodels.base import Cost, HardwareModelError
from hwmodels.roofline import is_depthwise
from hwmodels.workload import Op, Workload

Array = NDArray[np.float64]
Coefficients = tuple[float, ...]
"""Seconds, seconds per MAC, per byte, and per MAC with the output channels filled up to whole blocks."""

FEATURES = 4
BLOCKS = (1, 8, 16)
"""Output channels per block: none, and those of 256 and 512 bit wide kernels."""

LEAST_S = 1e-8
"""No operator is free: less than a runtime needs to start even an empty node."""

PULL = 1e-2
"""Weight of the shared coefficients against the networks, relative to the size of each column."""

TOTALS = 3.0
"""Weight of a network's total against that of one of its operators."""


@dataclass(frozen=True)
class LatencyFit:
    """Coefficients by class of operator; `other` serves kinds that were never seen.

    `error` and `worst` are the mean and largest relative error on the totals that it was fitted to.
    """

    coefficients: Mapping[str, Coefficients]
    other: Coefficients
    overhead_s: float
    block: int = 1
    error: float = 0.0
    worst: float = 0.0

    def op_latency_s(self, op: Op) -> float:
        """Seconds; above zero, and never less when the same operator has more work."""
        return max(LEAST_S, float(np.dot(self._for(op), _features(op, self.block))))

    def network_latency_s(self, ops: Iterable[Op]) -> float:
        """The call's overhead and the sum over operators."""
        return self.overhead_s + sum(self.op_latency_s(op) for op in ops)

    def _for(self, op: Op) -> Coefficients:
        name = class_of(op)
        if name in self.coefficients:
            return self.coefficients[name]
        alike = sorted(other for other in self.coefficients if other.partition("/")[0] == name.partition("/")[0])
        return self.coefficients[alike[0]] if alike else self.other


def class_of(op: Op) -> str:
    """Operators that share coefficients: `conv/fp32`, `depthwise/int8`."""
    return f"{'depthwise' if is_depthwise(op) else op.kind}/{op.precision}"


def samples(workload: Workload, cost: Cost) -> list[tuple[Op, float]]:
    """The operators of a workload with the latency that its looked-up cost gives each by name."""
    shares: dict[str, float] = {}
    for part in cost.per_op:
        shares[part.name] = shares.get(part.name, 0.0) + part.latency_s
    return [(op, shares[op.name]) for op in workload.ops if op.name in shares]


def fit_latency(
    networks: Sequence[tuple[Sequence[Op], float]],
    per_op: Sequence[tuple[Op, float]] = (),
    overhead_s: float = 0.0,
) -> LatencyFit:
    """Fits to totals (operators, seconds) and, where known, to single operators. Raises HardwareModelError without any.

    `overhead_s` is what a call costs before any operator runs; the totals include it.
    """
    if not networks or any(not ops or total <= overhead_s for ops, total in networks):
        raise HardwareModelError("a latency fit needs at least one network with operators, slower than an empty call")
    fits = (_fit(networks, per_op, overhead_s, block) for block in BLOCKS)
    return min(fits, key=lambda fit: fit.error)


def _fit(
    networks: Sequence[tuple[Sequence[Op], float]], per_op: Sequence[tuple[Op, float]], overhead_s: float, block: int
) -> LatencyFit:
    scale = sum(total for _, total in networks) / len(networks)
    groups = [(ops, total - overhead_s, TOTALS / total) for ops, total in networks]
    groups += [([op], seconds, 1.0 / scale) for op, seconds in per_op]
    targets = np.array([seconds * weight for _, seconds, weight in groups])
    classes = sorted({class_of(op) for ops, _, _ in groups for op in ops})
    rows = [_row(ops, classes, block) * weight for ops, _, weight in groups]
    pooled = [row.reshape(-1, FEATURES).sum(axis=0) for row in rows]
    shared = _solve(pooled, targets, np.zeros(FEATURES), 0.0)
    found = _solve(rows, targets, np.tile(shared, len(classes)), PULL).reshape(-1, FEATURES)
    coefficients = {name: tuple(map(float, of)) for name, of in zip(classes, found)}
    fit = LatencyFit(coefficients, (float(shared[0]), 0.0, float(shared[2]), 0.0), overhead_s, block)
    errors = [abs(fit.network_latency_s(ops) / total - 1.0) for ops, total in networks]
    return replace(fit, error=sum(errors) / len(errors), worst=max(errors))


def _features(op: Op, block: int) -> Array:
    channels = op.weights[0].shape[0] if op.weights and op.weights[0].shape else 1
    whole = op.macs * (-(-channels // block) * block) / max(1, channels)
    return np.array([1.0, float(op.macs), float(op.weight_bytes + op.activation_bytes), whole])


def _row(ops: Sequence[Op], classes: Sequence[str], block: int) -> Array:
    """Features summed per class, one after the other."""
    row = np.zeros((len(classes), FEATURES))
    for op in ops:
        row[classes.index(class_of(op))] += _features(op, block)
    return row.ravel()


def _solve(rows: Sequence[Array], targets: Array, prior: Array, pull: float) -> Array:
    """Non-negative least squares with columns brought to one size, drawn to `prior` by `pull`."""
    from scipy.optimize import nnls  # takes most of a second to import, and a refusal doesn't need it

    matrix = np.stack(rows)
    size = np.linalg.norm(matrix, axis=0)
    size[size == 0.0] = 1.0
    full = np.vstack([matrix / size, pull * np.eye(len(size))])
    solution, _ = nnls(full, np.concatenate([targets, pull * prior * size]))
    return np.asarray(solution / size, dtype=np.float64)

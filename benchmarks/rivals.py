"""Predictors that need no table, each fitted to the very networks that it is asked for: what a table has to beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls

from benchmarks.onnx_counts import Counts

Array = NDArray[np.float64]


def by_macs(counts: Sequence[Counts], truth: Array) -> Array:
    """A constant and a time per multiply-accumulate."""
    return _line([c.macs for c in counts], truth)


def by_parameters(counts: Sequence[Counts], truth: Array) -> Array:
    """A constant and a time per parameter."""
    return _line([c.parameters for c in counts], truth)


def roofline(counts: Sequence[Counts], truth: Array) -> Array:
    """Operator by operator the larger of arithmetic and traffic, plus a constant each; all three rates fitted."""

    def predict(rates: Array) -> Array:
        macs, bytes_, start = np.exp(rates)
        return np.array([sum(max(m * macs, b * bytes_) + start for m, b in c.operators) for c in counts])

    begin = np.log([2e-11, 5e-11, 1e-6])
    found = minimize(lambda rates: np.abs(predict(rates) / truth - 1.0).mean(), begin, method="Nelder-Mead")
    return predict(found.x)


def _line(amounts: Sequence[int], truth: Array) -> Array:
    columns = np.stack([np.ones(len(truth)), np.array(amounts, dtype=np.float64)], axis=1)
    size = columns.max(axis=0)
    found, _ = nnls(columns / size / truth[:, None], np.ones(len(truth)))
    return np.asarray(columns / size @ found)


RIVALS: Mapping[str, Callable[[Sequence[Counts], Array], Array]] = {
    "MACs": by_macs,
    "parameters": by_parameters,
    "roofline": roofline,
}

"""Error lines: how far predictions of latency are from the truth, printed alike by every benchmark that asks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwmodels.calibrating import accuracy

Array = NDArray[np.float64]


def line(what: str, predicted: Array, truth: Array) -> dict[str, Any]:
    """Prints and returns the relative errors of some predictions (both in seconds, one per network)."""
    errors = np.abs(predicted / truth - 1.0)
    found = accuracy(predicted, truth)
    within = {f"within_{limit}": float((errors <= limit / 100).mean()) for limit in (5, 10)}
    bias = float((predicted / truth - 1.0).mean())
    print(
        f"  {what:<28} {len(truth):3} networks: mean {found.mean:6.2%}  p90 {found.p90:6.2%}  worst {found.worst:6.2%}"
        f"  bias {bias:+6.2%}  5 %: {within['within_5']:4.0%}  10 %: {within['within_10']:4.0%}  tau {found.tau:.3f}"
    )
    return {"predictor": what.strip(), "networks": len(truth), "bias": bias} | vars(found) | within

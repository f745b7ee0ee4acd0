"""Every recovery: one line each, the cheapest first."""

from __future__ import annotations

from methods.base import MethodError, Recovery
from methods.recovery.batch_norm import BatchNormRecalibration
from methods.recovery.fine_tuning import FineTuning
from methods.recovery.least_squares import LeastSquares

RECOVERIES: dict[str, Recovery] = {r.name: r for r in (BatchNormRecalibration(), LeastSquares(), FineTuning())}


def recovery(name: str) -> Recovery:
    """The recovery of that name. Raises MethodError, naming all, where there is none."""
    if name not in RECOVERIES:
        raise MethodError(f"there is no recovery {name!r}; there are {', '.join(RECOVERIES)}")
    return RECOVERIES[name]

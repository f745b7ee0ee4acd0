"""The solver: HiGHS through scipy, loaded when it is first asked (most of a second) and kept from printing.

HiGHS 1.12 now and then writes a line of its own to the process's standard output, where a `--json` answer belongs.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_LOCK = threading.Lock()


def linear_program(*arguments: Any, **options: Any) -> Any:
    """`scipy.optimize.linprog` by dual simplex."""
    from scipy.optimize import linprog

    with _quiet():
        return linprog(*arguments, method="highs-ds", **options)


def integer_program(cost: Any, equal: Any, most: Any, bounds: Any, **options: Any) -> Any:
    """`scipy.optimize.milp` under rows `equal` (matrix, values) and `most` (matrix, upper values)."""
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp

    rules = [LinearConstraint(equal[0], equal[1], equal[1]), LinearConstraint(most[0], -np.inf, most[1])]
    with _quiet():
        return milp(cost, constraints=rules, bounds=Bounds(*bounds), **options)


@contextmanager
def _quiet() -> Iterator[None]:
    """Sends what C code prints to standard error."""
    with _LOCK:
        sys.stdout.flush()
        kept = os.dup(1)
        os.dup2(2, 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)

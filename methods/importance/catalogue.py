"""Every importance: one line each."""

from __future__ import annotations

from methods.base import Importance, MethodError
from methods.importance.batch_norm_scale import BatchNormScale
from methods.importance.magnitude import Magnitude
from methods.importance.taylor import Taylor

IMPORTANCES: dict[str, Importance] = {i.name: i for i in (Taylor(), Magnitude(), BatchNormScale())}


def importance(name: str) -> Importance:
    """The importance of that name. Raises MethodError, naming all, where there is none."""
    if name not in IMPORTANCES:
        raise MethodError(f"there is no importance {name!r}; there are {', '.join(IMPORTANCES)}")
    return IMPORTANCES[name]

"""Every importance: one line each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from methods.base import BadChoice, Importance, MethodError
from methods.importance.batch_norm_scale import BatchNormScale
from methods.importance.fisher import Fisher
from methods.importance.gradient import Gradient
from methods.importance.group_magnitude import GroupMagnitude
from methods.importance.lasso import Lasso
from methods.importance.magnitude import Magnitude
from methods.importance.random import Random
from methods.importance.taylor import Taylor

IMPORTANCES: dict[str, Importance] = {
    i.name: i
    for i in (
        Taylor(),
        Magnitude(),
        Magnitude(norm=1, reduction="sum", name="magnitude-l1"),
        GroupMagnitude(),
        BatchNormScale(),
        Fisher(),
        Gradient(),
        Lasso(),
        Random(),
    )
}


def importance(name: str, settings: Mapping[str, Any] | None = None) -> Importance:
    """The importance of that name, with some settings changed (`{"reduction": "max"}`).

    Raises MethodError, naming all, where there is none; BadChoice for a setting that it doesn't have.
    """
    if name not in IMPORTANCES:
        raise MethodError(f"there is no importance {name!r}; there are {', '.join(IMPORTANCES)}")
    found: Any = IMPORTANCES[name]
    known = [f.name for f in fields(found) if f.name != "name"]
    for setting in settings or {}:
        if setting not in known:
            raise BadChoice(f"the importance {name!r} has no setting {setting!r}; it has {', '.join(known)}")
    changed: Importance = replace(found, **(settings or {}))
    return changed

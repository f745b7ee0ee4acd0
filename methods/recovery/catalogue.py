"""Every recovery, the cheapest first, and every schedule: one line each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from methods.base import MethodError, Recovery
from methods.recovery.admm import Admm
from methods.recovery.batch_norm import BatchNormRecalibration
from methods.recovery.distillation import Distillation
from methods.recovery.fine_tuning import FineTuning, PlainFineTuning
from methods.recovery.gradual import Gradual
from methods.recovery.least_squares import LeastSquares
from methods.recovery.nothing import Nothing
from methods.recovery.one_shot import OneShot
from methods.recovery.projected import Soft, StraightThrough
from methods.recovery.schedule import Schedule
from methods.recovery.slimming import Slimming

RECOVERIES: dict[str, Recovery] = {
    r.name: r
    for r in (
        Nothing(),
        BatchNormRecalibration(),
        LeastSquares(),
        FineTuning(),
        PlainFineTuning(),
        Distillation(),
        Slimming(),
    )
}
SCHEDULES: dict[str, Schedule] = {s.name: s for s in (OneShot(), Gradual(), Admm(), StraightThrough(), Soft())}


def recovery(name: str) -> Recovery:
    """The recovery of that name. Raises MethodError, naming all, where there is none."""
    if name not in RECOVERIES:
        raise MethodError(f"there is no recovery {name!r}; there are {', '.join(RECOVERIES)}")
    return RECOVERIES[name]


def schedule(name: str) -> Schedule:
    """The schedule of that name. Raises MethodError, naming all, where there is none."""
    if name not in SCHEDULES:
        raise MethodError(f"there is no schedule {name!r}; there are {', '.join(SCHEDULES)}")
    return SCHEDULES[name]


def schedule_of(training: Mapping[str, Any]) -> Schedule:
    """The schedule of a recipe's `training`: {"schedule": "admm", "recovery": "distillation", "settings": {...}}.

    Each part may be left out: one-shot, fine-tuning. A setting goes to the schedule or the recovery, whichever has it.
    Raises MethodError for unknown names, and for settings that neither has or that can't be.
    """
    unknown = sorted(set(training) - {"schedule", "recovery", "settings"})
    if unknown:
        raise MethodError(f"a recipe's training has no part {unknown[0]!r}; it has schedule, recovery, settings")
    plan: Any = schedule(training.get("schedule", "one-shot"))
    inner: Any = recovery(training.get("recovery", "fine-tuning"))
    settings: dict[str, Any] = dict(training.get("settings", {}))
    known = {"schedule": settable(plan) - {"recovery"}, "recovery": settable(inner)}
    for name in settings:
        if name not in known["schedule"] | known["recovery"]:
            raise MethodError(
                f"{plan.name} with {inner.name} has no setting {name!r}; it has "
                f"{', '.join(sorted(known['schedule'] | known['recovery']))}"
            )
    inner = replace(inner, **{n: v for n, v in settings.items() if n in known["recovery"]})
    made: Schedule = replace(plan, recovery=inner, **{n: v for n, v in settings.items() if n in known["schedule"]})
    return made


def settable(plain: Any) -> set[str]:
    """The settings that a recipe may give: numbers and words, no callbacks, not the name."""
    return {f.name for f in fields(plain) if f.compare and f.name != "name"}

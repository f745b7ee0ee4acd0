"""Calibration: what the parts of a sum of nodes are stretched by to give whole networks, and how right that is.

`hwmodels/calibrating.py` says where the factors and the errors come from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from hwmodels.base import HardwareModelError
from hwmodels.basis import Basis
from hwmodels.parts import BEYOND


class BadCalibration(HardwareModelError):
    """A calibration can't be fitted or read."""


@dataclass(frozen=True)
class Calibration:
    """Factors by operator type of the runtime, and how right they are.

    Attributes:
        factors: operator type (and `call`) -> what its time is multiplied by. other: for types never seen.
        margin: 95 of 100 networks take no longer than their prediction and this share of it.
        mean, p90, worst, tau: on networks left out of the fit, one at a time. family_mean: on families left out.
        networks, families: what it was fitted to. created: UTC in ISO 8601.
        unseen: (family, predicted seconds, measured seconds) of each of those networks, left out of the fit.
        basis: the clock, the memory and the nearest caches that all of it is for.
    """

    factors: Mapping[str, float]
    other: float
    margin: float
    mean: float
    p90: float
    worst: float
    tau: float
    family_mean: float
    networks: int
    families: tuple[str, ...]
    created: str = ""
    unseen: tuple[tuple[str, float, float], ...] = ()
    basis: Basis = field(default_factory=Basis)

    def factor(self, kind: str) -> float:
        """What the time of this part is multiplied by."""
        return self.factors.get(kind, usual(kind, self.other))

    def latency_s(self, parts: Mapping[str, float]) -> float:
        """Seconds of a network from its seconds by operator type."""
        return sum(self.factor(kind) * seconds for kind, seconds in parts.items())

    def scaled(self, ratio: float) -> Calibration:
        """For a machine that has become slower by this ratio as a whole, or faster."""
        factors = {kind: factor * ratio for kind, factor in self.factors.items()}
        return replace(self, factors=factors, other=self.other * ratio)

    def doubted(self, margin: float) -> Calibration:
        """The same where the margin is at least this: the machine couldn't tell whether it still is what it was."""
        return replace(self, margin=max(margin, self.margin))

    def to_json(self) -> dict[str, Any]:
        lists = {"families": list(self.families), "unseen": [list(each) for each in self.unseen]}
        return asdict(self) | {"factors": dict(self.factors), "basis": self.basis.to_json()} | lists

    @classmethod
    def from_json(cls, data: Any) -> Calibration:
        """The inverse of `to_json`. Raises BadCalibration, naming what is missing, strange or impossible."""
        names = set(cls.__dataclass_fields__)
        if not isinstance(data, Mapping) or set(data) | {"basis"} != names:  # older ones lack it
            raise BadCalibration(f"a calibration is an object with exactly {', '.join(sorted(names))}")
        factors, families = data["factors"], data["families"]
        if not isinstance(factors, Mapping) or not isinstance(families, list | tuple):
            raise BadCalibration("a calibration's factors are an object, and its families a list")
        for name, value in (*factors.items(), *((n, data[n]) for n in _NUMBERS)):
            _check_number(str(name), value)
        if isinstance(data["tau"], bool) or not isinstance(data["tau"], int | float) or not -1 <= data["tau"] <= 1:
            raise BadCalibration(f"a calibration's tau is {data['tau']!r}; it is a number from -1 to 1")
        if not isinstance(data["networks"], int) or not isinstance(data["created"], str):
            raise BadCalibration("a calibration's networks are a whole number, and created is text")
        if not all(isinstance(name, str) for name in families):
            raise BadCalibration("a calibration's families are names")
        basis = Basis.from_json(data["basis"]) if "basis" in data else Basis()
        lists = {"families": tuple(families), "unseen": _checked_unseen(data["unseen"])}
        return cls(**{**data, "factors": dict(factors), "basis": basis} | lists)


_NUMBERS = ("other", "margin", "mean", "p90", "worst", "family_mean", "networks")


def _check_number(name: str, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0:
        raise BadCalibration(f"a calibration's {name} is {value!r}; it is a finite number and not below 0")


def _checked_unseen(entries: Any) -> tuple[tuple[str, float, float], ...]:
    """Raises BadCalibration for what isn't a list of a family and two times each."""
    if not isinstance(entries, list | tuple) or not all(isinstance(e, list | tuple) and len(e) == 3 for e in entries):
        raise BadCalibration("a calibration's unseen networks are a list of [family, predicted, measured]")
    for family, predicted, measured in entries:
        if not isinstance(family, str):
            raise BadCalibration("a calibration's unseen networks begin with the name of their family")
        _check_number("predicted time", predicted)
        _check_number("measured time", measured)
    return tuple((family, float(predicted), float(measured)) for family, predicted, measured in entries)


def usual(kind: str, shared: float) -> float:
    """The factor of a part of which nothing is known: that of all, and none for memory, which may never be short."""
    return 0.0 if kind.startswith(BEYOND) else shared

"""check_drift: whether the machine still is what it was when its table was measured.

A few networks of the calibration set are timed again, in about a second. Other programs only ever add time, and add it
unevenly; a machine that has changed (its clock, its cooling, its neighbours) is slower or faster by one ratio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

from hwmodels.base import HardwareModelError, Measurement
from hwmodels.device import Device
from hwmodels.lookup import LookupModel
from hwmodels.networks.catalogue import FAMILIES
from hwmodels.profile import Case, calibration_set, network_keys
from hwmodels.sums import whole_s

SENTINELS = 4
"""Networks that are timed again."""

TOLERANCE = 0.03
"""What a latency may differ by from one process to another."""

UNSEEN = 0.1
"""What a busy machine may have changed by unnoticed (relative)."""

BUSY = 0.05
"""Disagreement of a measurement's halves from which on the machine has no quiet moment."""


@dataclass(frozen=True)
class Drift:
    """What the second look has found.

    Attributes:
        ratio: median of the networks' latencies now over those in the table. spread: how far they are from it.
        quiet: whether the machine was quiet enough to tell. verdict: `same`, `changed` (by one ratio), `other` (by
            no one ratio) or `busy`. words: the same as a sentence.
    """

    ratio: float
    spread: float
    quiet: bool
    verdict: str
    words: str

    @property
    def scale(self) -> float:
        """What the table's calibration is to be scaled by: the ratio where the machine has changed by one."""
        return self.ratio if self.verdict == "changed" else 1.0

    @property
    def doubt(self) -> float:
        """What its margin is to be at least: something where the machine was too busy to tell."""
        return UNSEEN if self.verdict == "busy" else 0.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def check_drift(model: LookupModel, device: Device) -> Drift:
    """Times a few networks of the table again. Raises HardwareModelError where it has none, MeasurementFailed."""
    cases = list(calibration_set(device, len(FAMILIES)))
    known = [(case, key) for case, key in zip(cases, network_keys(cases, device)) if key in model.table.rows]
    if not known:
        raise HardwareModelError(f"the table of {device.id} holds no whole network to compare with: profile it first")
    before = [_row(model, case, key, device) for case, key in known[:SENTINELS]]
    kept, model.profiler.gauge_s = model.profiler.gauge_s, 0.0  # a slower machine has a slower gauge, and isn't busy
    try:
        now = model.profiler.glance([case.program for case, _ in known[:SENTINELS]], device)
    finally:
        model.profiler.gauge_s = kept
    return judge(before, now)


def _row(model: LookupModel, case: Case, key: str, device: Device) -> Measurement:
    """A network of the table, on the basis of its estimates."""
    row, basis = model.table.rows[key], model.basis
    nodes = model.profiler.nodes(case.program, device, model.table.rows.keys())
    return replace(row, latency_s=whole_s(row, nodes, basis))


def judge(before: Sequence[Measurement], now: Sequence[Measurement]) -> Drift:
    """The verdict on measurements of the same networks, then and now."""
    ratios = [new.latency_s / old.latency_s for old, new in zip(before, now, strict=True)]
    ratio = median(ratios)
    spread = max(abs(other / ratio - 1.0) for other in ratios)
    noise = max(found.disagreement for found in now)
    verdict = _verdict(ratio, spread, noise)
    return Drift(ratio, spread, noise <= BUSY, verdict, _words(verdict, ratio, spread, noise))


def _verdict(ratio: float, spread: float, noise: float) -> str:
    if abs(ratio - 1.0) <= TOLERANCE and spread <= 2.0 * TOLERANCE:
        return "same"
    if noise > BUSY:
        return "busy"
    return "changed" if spread <= 2.0 * TOLERANCE else "other"


def _words(verdict: str, ratio: float, spread: float, noise: float) -> str:
    way = "slower" if ratio > 1.0 else "faster"
    return {
        "same": f"the machine is what it was: networks take {ratio:.3f} times as long as in the table",
        "busy": f"can't tell: the machine is busy, measurements disagree by {noise:.0%}; look again when it is quiet",
        "changed": f"the machine has become {way}: all networks take {ratio:.3f} times as long, within {spread:.1%}",
        "other": f"the machine has changed, and not evenly (networks are {spread:.0%} apart): refresh its table",
    }[verdict]

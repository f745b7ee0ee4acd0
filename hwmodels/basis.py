"""Basis: the one clock and the one state of memory that rows of a table are put to before they are added up.

Rows are measured within minutes or months of each other, and meanwhile the machine changes: an undisturbed EPYC of
2024 moves its clock by 4 % from one second to the next, and reads beyond a core's own caches up to 12 % slower for
minutes on end. The gauge's two works are timed with every row and say by how much.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from hwmodels.base import HardwareModelError, Measurement
from hwmodels.parts import USUAL_MB
from hwmodels.profilers.gauge import SWEEP_BYTES

MOST = 0.9
"""Of a latency, what may be waiting for memory."""


@dataclass(frozen=True)
class Basis:
    """What latencies are for.

    Attributes:
        gauge_s, memory_s: what the gauge's two works take at that clock, with memory as it is then; 0 where that isn't
            known: rows are then taken as they were measured. near_mb: what a core's nearest caches hold, in 10^6 bytes.
    """

    gauge_s: float = 0.0
    memory_s: float = 0.0
    near_mb: float = USUAL_MB

    def latency_s(self, row: Measurement, missed_bytes: float = 0.0) -> float:
        """What was measured, as it would have been here; of it `missed_bytes` were read beyond the nearest caches."""
        if not self.gauge_s or not row.gauge_s:
            return row.latency_s
        ratio = self.gauge_s / row.gauge_s
        latency_s = ratio * row.latency_s
        if not self.memory_s or not row.memory_s:
            return latency_s
        read_s = missed_bytes / SWEEP_BYTES * ratio * row.memory_s
        return latency_s + min(MOST * latency_s, read_s) * (self.memory_s / (ratio * row.memory_s) - 1.0)

    def to_json(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> Basis:
        """The inverse of `to_json`. Raises HardwareModelError, naming what is strange or impossible."""
        names = set(cls.__dataclass_fields__)
        if not isinstance(data, Mapping) or set(data) != names:
            raise HardwareModelError(f"a basis is an object with exactly {', '.join(sorted(names))}")
        for name, value in data.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or value < 0:
                raise HardwareModelError(f"a basis's {name} is {value!r}; it is a finite number and not below 0")
        return cls(**data)


def usual_basis(rows: Iterable[Measurement]) -> Basis:
    """The clock and the memory that most of these were measured at."""
    known = [row for row in rows if row.gauge_s]
    if not known:
        return Basis()
    gauge_s = median(row.gauge_s for row in known)
    return Basis(gauge_s, gauge_s * median(row.memory_s / row.gauge_s for row in known))

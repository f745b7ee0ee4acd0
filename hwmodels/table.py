"""Table: what was measured on one device, by the signature of what the runtime executes; never by layer name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from hwmodels.base import HardwareModelError, Measurement, Profiler
from hwmodels.device import Device
from hwmodels.disturbed import Disturbed

Row = Mapping[str, Any]

OVERHEAD = "overhead"
GAUGE = "gauge"
"""Keys of the two rows that belong to no node: the cost of a call, and the work that tells a quiet machine."""

_TIMES = ("latency_s", "p10_s", "median_s")
_FIELDS = ("key", *_TIMES, "calls", "disagreement")
_LATER = {"energy_j": 0.0, "gauge_s": 0.0, "memory_s": 0.0}
"""Fields that older rows lack, with what stands for them."""


class BadTable(HardwareModelError):
    """A table or a row of one can't be right."""


@dataclass(frozen=True)
class TableHeader:
    """What a table holds for. `machine` is CPU model, cores and flags; `created` is UTC in ISO 8601."""

    device: str
    runtime: str
    version: str
    machine: str
    threads: int = 1
    batch: int = 1
    created: str = ""


@dataclass
class Table:
    """Measurements by key. `on_measure` is called with each row that is added, as plain JSON-able data; see `add`.

    `disturbed` holds what `offer` keeps back.
    """

    header: TableHeader
    rows: dict[str, Measurement] = field(default_factory=dict)
    signatures: dict[str, str] = field(default_factory=dict)
    on_measure: Callable[[dict[str, Any]], Row | None] | None = None
    disturbed: Disturbed = field(default_factory=Disturbed)

    @classmethod
    def from_rows(cls, header: TableHeader, rows: Iterable[Row], on_measure: Any = None) -> Table:
        """A table from stored rows. Raises BadTable, naming the row, for duplicates and impossible figures."""
        table = cls(header)
        for row in rows:
            measurement = read_row(row)
            if row["key"] in table.rows:
                raise BadTable(f"row {row['key']!r} is there twice; each signature has one row")
            table.rows[row["key"]] = measurement
            table.signatures[row["key"]] = str(row.get("signature", ""))
        table.on_measure = on_measure
        return table

    def check_source(self, profiler: Profiler) -> None:
        """Raises BadTable for a profiler of another machine or runtime: its rows and these wouldn't add up."""
        here = (profiler.name, profiler.version, profiler.machine)
        there = (self.header.runtime, self.header.version, self.header.machine)
        if here != there:
            raise BadTable(f"the table of {self.header.device} is for {there}, and this is {here}")

    def check_device(self, device: Device) -> None:
        """Raises BadTable for another device, or for other settings of the same."""
        here = (device.id, device.threads, device.batch)
        there = (self.header.device, self.header.threads, self.header.batch)
        if here != there:
            raise BadTable(f"the table is for (device, threads, batch) {there}, asked for {here}")

    def add(self, key: str, signature: str, measurement: Measurement) -> None:
        """Keeps a new measurement and reports it. A key that is there already keeps its first one.

        Where others fill the same table, `on_measure` gives back the row that was there first, and that one is kept:
        all of them then estimate with the same figures.
        """
        if key in self.rows:
            return
        row: Row = {"key": key, "signature": signature, **asdict(measurement)}
        if self.on_measure is not None:
            row = self.on_measure(dict(row)) or row
        self.rows[key] = read_row(row)
        self.signatures[key] = signature

    def offer(self, key: str, signature: str, measurement: Measurement) -> None:
        """Keeps a new measurement unless it was disturbed: then it is held back, to be measured again."""
        settled = self.disturbed.settle(key, measurement)
        if settled is not None:
            self.add(key, signature, settled)

    def row(self, key: str) -> Measurement:
        """A measurement that is kept, or held back. Raises KeyError."""
        return self.rows[key] if key in self.rows else self.disturbed[key]

    def add_gauge(self, gauge_s: float) -> None:
        """Keeps what the work that tells a quiet machine takes, where that is known (above 0)."""
        if gauge_s > 0:
            self.add(GAUGE, "a fixed piece of work", Measurement(gauge_s, gauge_s, gauge_s, 1, 0.0))

    @property
    def overhead(self) -> Measurement:
        """One call before any node runs. Raises BadTable where it was never measured."""
        if OVERHEAD not in self.rows:
            raise BadTable(
                f"the table of {self.header.device} has no row {OVERHEAD!r}; measure the runtime itself first"
            )
        return self.rows[OVERHEAD]

    @property
    def noise_floor(self) -> float:
        """What nine rows of ten repeat within (relative); 0 for an empty table."""
        found = sorted(row.disagreement for row in self.rows.values())
        return found[(9 * (len(found) - 1)) // 10] if found else 0.0

    def to_json(self) -> dict[str, Any]:
        rows = [{"key": k, "signature": self.signatures.get(k, ""), **asdict(m)} for k, m in sorted(self.rows.items())]
        return {"header": asdict(self.header) | {"noise_floor": self.noise_floor}, "rows": rows}

    @classmethod
    def from_json(cls, data: Any) -> Table:
        """The inverse of `to_json`. Raises BadTable for anything else."""
        if not isinstance(data, Mapping) or set(data) != {"header", "rows"} or not isinstance(data["rows"], list):
            raise BadTable("a table is an object with a header and a list of rows")
        for row in data["rows"]:
            if not isinstance(row, Mapping) or set(row) - set(_LATER) != {*_FIELDS, "signature"}:
                raise BadTable(f"a row has exactly {', '.join(_FIELDS)} and signature; this one is {str(row)[:80]}")
        return cls.from_rows(_read_header(data["header"]), data["rows"])


def header_for(device: Device, version: str, machine: str) -> TableHeader:
    """The header of a table that is begun now, on a machine with this version of the device's runtime."""
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return TableHeader(device.id, device.profiler, version, machine, device.threads, device.batch, created)


def read_row(row: Any) -> Measurement:
    """The measurement of one stored row. Raises BadTable, naming the row and what is wrong with it."""
    if not isinstance(row, Mapping) or not isinstance(row.get("key"), str) or not row["key"]:
        raise BadTable(f"a row needs a key that is text; this one is {str(row)[:80]}")
    name = f"row {row['key']!r}"
    row = _LATER | dict(row)
    for wanted in (*_FIELDS[1:], *_LATER):
        _check_number(name, wanted, row.get(wanted))
    for time in _TIMES:
        if row[time] <= 0:
            raise BadTable(f"{name}: {time} is {row[time]}; a time is above 0 s")
    if not row["latency_s"] <= row["p10_s"] <= row["median_s"]:
        raise BadTable(f"{name}: latency, tenth percentile and median must rise, not {[row[time] for time in _TIMES]}")
    if not isinstance(row["calls"], int) or row["calls"] < 1:
        raise BadTable(f"{name}: calls is {row['calls']}; it is a whole number from 1 up")
    if row["disagreement"] < 0:
        raise BadTable(f"{name}: disagreement is {row['disagreement']}; it is relative and not below 0")
    if row["energy_j"] < 0:
        raise BadTable(f"{name}: energy_j is {row['energy_j']}; it is above 0 J, or 0 where nothing was metered")
    for wanted in ("gauge_s", "memory_s"):
        if row[wanted] < 0:
            raise BadTable(f"{name}: {wanted} is {row[wanted]}; it is above 0 s, or 0 where it isn't known")
    latency, p10, median = (float(row[time]) for time in _TIMES)
    later = {wanted: float(row[wanted]) for wanted in _LATER}
    return Measurement(latency, p10, median, row["calls"], float(row["disagreement"]), **later)


def _check_number(name: str, wanted: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadTable(f"{name}: {wanted} is {value!r}; it must be a number")
    if not math.isfinite(value):
        raise BadTable(f"{name}: {wanted} is {value}; it must be finite")


def _read_header(data: Any) -> TableHeader:
    wanted = {name: type(value) for name, value in asdict(TableHeader("", "", "", "")).items()}
    given = {k: v for k, v in data.items() if k != "noise_floor"} if isinstance(data, Mapping) else {}
    wrong = [name for name, kind in wanted.items() if type(given.get(name)) is not kind] + sorted(
        set(given) - set(wanted)
    )
    if wrong:
        raise BadTable(
            f"the table's header is missing, or has the wrong type for, or shouldn't have: {', '.join(wrong)}"
        )
    return TableHeader(**given)

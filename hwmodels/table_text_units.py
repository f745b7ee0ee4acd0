"""Columns of a table's text: units from their names, what they may hold, and rows whose unit can't be right."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

LATER = ("disagreement", "energy_j", "gauge_s", "memory_s")
"""Columns of figures that may be 0, or left out."""
COLUMNS = ("key", "signature", "latency_s", "p10_s", "median_s", "calls", *LATER)
"""As tables are written."""
TIMES = {name: f"{name}_s" for name in ("latency", "p10", "median", "gauge", "memory")}
SECONDS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
JOULES = {"j": 1.0, "mj": 1e3, "uj": 1e6}
TEXTS = ("key", "signature")
LONGEST_S = 3600.0
"""An operator that takes an hour was written in another unit."""
OFF = 500.0
"""A row so many times slower, or faster, than all alike is in another unit: units are a thousand apart."""
FEW = 4
"""Rows of one kind, below which nothing is said about their units."""


@dataclass(frozen=True)
class Column:
    """One column: `title` as written, `name` as tables have it, and how many of its unit make one of SI; 0 for text."""

    title: str
    name: str
    scale: float = 1.0

    def wrong(self, value: float) -> str:
        """What a figure would have to be; empty where it is right."""
        if not math.isfinite(value):
            return "it is a number"
        if self.name == "calls":
            return "" if value >= 1 and value == int(value) else "it is a whole number from 1 up"
        if self.name in LATER:
            return "" if value >= 0 else "it is not below 0"
        if value <= 0:
            return "a time is above 0"
        return "" if value / self.scale < LONGEST_S else f"that is over an hour: is {self.title} the right unit?"


def columns_of(titles: Sequence[str], line: int, faults: list[str]) -> list[Column | None]:
    """The columns by the line that names them; None for one that isn't known, with a fault noted."""
    found = [_column(title.strip(), line, faults) for title in titles]
    names = [column.name for column in found if column is not None]
    faults += [f"line {line}: there are two columns for {name}" for name in sorted(set(names)) if names.count(name) > 1]
    if "latency_s" not in names:
        faults.append(f"line {line}: there is no column for the latency, such as latency_us")
    if not set(names) & set(TEXTS):
        faults.append(f"line {line}: there is no column signature, which says what was measured")
    return found


def _column(title: str, line: int, faults: list[str]) -> Column | None:
    stem, _, unit = title.rpartition("_")
    if title in TEXTS:
        return Column(title, title, 0.0)
    if title in ("calls", "disagreement"):
        return Column(title, title)
    if stem in TIMES and unit in SECONDS:
        return Column(title, TIMES[stem], SECONDS[unit])
    if stem == "energy" and unit in JOULES:
        return Column(title, "energy_j", JOULES[unit])
    faults.append(f"line {line}: {_unknown(title, stem, unit)}")
    return None


def _unknown(title: str, stem: str, unit: str) -> str:
    if title in (*TIMES, "energy"):
        units = JOULES if title == "energy" else SECONDS
        return f"the column {title} has no unit; name it {', '.join(f'{title}_{u}' for u in units)}"
    if stem in (*TIMES, "energy"):
        units = JOULES if stem == "energy" else SECONDS
        return f"the column {title} is in {unit!r}, which isn't known; there are {', '.join(units)}"
    known = (*COLUMNS, "latency_ms", "latency_us", "latency_ns")
    near = difflib.get_close_matches(title, known, n=1, cutoff=0.5)
    return (
        f"there is no column {title[:40]!r}; {f'did you mean {near[0]}?' if near else 'there are ' + ', '.join(known)}"
    )


def misunited(latency_s: Mapping[str, float], signatures: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) for rows some thousand times off the others of their kind, for their size as well.

    A kind is the first word of a signature, a size the elements of all shapes in it; without shapes nothing is said.
    """
    kinds: dict[str, list[str]] = {}
    sizes = {key: _size(signatures[key]) for key in latency_s}
    for key, size in sizes.items():
        if size:
            kinds.setdefault(re.split(r"[^\w.]", signatures[key], maxsplit=1)[0], []).append(key)
    for kind, keys in kinds.items():
        usual = median(latency_s[key] for key in keys)
        usual_rate = median(latency_s[key] / sizes[key] for key in keys)
        for key in keys if len(keys) >= FEW else ():
            ratio, for_size = latency_s[key] / usual, latency_s[key] / sizes[key] / usual_rate
            if min(ratio, for_size) > OFF or max(ratio, for_size) < 1 / OFF:
                often = f"{max(ratio, 1 / ratio):,.0f} times {'longer' if ratio > 1 else 'shorter'}"
                yield key, f"{latency_s[key]:.3g} s is {often} than other {kind} rows: is it in another unit?"


def _size(signature: str) -> float:
    shapes = re.findall(r"\[([0-9x*, ]+)\]", signature)
    return sum(math.prod(float(n) for n in re.findall(r"[1-9][0-9]*", shape)) for shape in shapes)

"""The fields of a datasheet document: which there are, what each may hold, and what is said of one that is wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from hwmodels.base import HardwareModelError

KINDS = ("analytical", "measured", "imported")
HOLDS = ("everything", "weights", "activations")
FORMS = ("onnx", "pt2")
KINDS_OF_OPERATORS = (
    *("conv", "depthwise", "linear", "matmul", "attention", "recurrent"),
    *("pool", "norm", "elementwise", "softmax", "quantize", "embedding", "data"),
)
KEY = re.compile(r"fp\d{1,2}|int\d{1,2}(x\d{1,2})?|shift\d{1,2}", re.ASCII)
ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}", re.ASCII)


class BadDatasheet(HardwareModelError):
    """A datasheet can't be right. `fields` says of each faulty field what is wrong and what would be right."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        self.fields = dict(faults)
        super().__init__("; ".join(f"{name}: {text}" if name else text for name, text in self.fields.items()))


class Range(NamedTuple):
    """A number's limits; `zero` is allowed beside them. `unit` ends the sentence that says what would be right."""

    least: float
    most: float
    unit: str
    zero: bool = False
    whole: bool = False


RATE = Range(1e4, 1e17, "multiply-accumulates per second (one a cycle at 480 MHz is 480e6)")
MAC_ENERGY = Range(1e-16, 1e-7, "joules (3 pJ is 3e-12)")
SHARE = Range(1e-9, 1.0, "a share above 0 and up to 1 (30 % is 0.3)")
BANDWIDTH = Range(1e4, 1e15, "bytes per second (10 GB/s is 10e9), or 0 where it is never the bottleneck", zero=True)
BIT_ENERGY = Range(1e-18, 1e-8, "joules per bit (20 pJ is 20e-12), or 0", zero=True)
SECONDS = Range(1e-12, 10.0, "seconds (5 microseconds are 5e-6), or 0", zero=True)
WATTS = Range(1e-9, 1e5, "watts (40 mW are 0.04), or 0", zero=True)
BYTES = Range(1, 2**60, "whole bytes (512 KB are 524288), or 0 where it is unknown or large enough", True, True)
COUNT = Range(1, 2**20, "a whole number from 1 up", whole=True)
BATCH = Range(1, 4096, "a whole number from 1 to 4096", whole=True)
THREADS = Range(1, 256, "a whole number from 1 to 256", whole=True)

NUMBERS: Mapping[str, Range] = {
    "op_overhead_s": SECONDS,
    "static_power_w": WATTS,
    "ram_bytes": BYTES,
    "flash_bytes": BYTES,
    "channel_multiple": COUNT,
    "batch": BATCH,
    "threads": THREADS,
}


class Keys(NamedTuple):
    """The names that a table may have: those that match, and what is said of others."""

    pattern: re.Pattern[str]
    hint: str


ARITHMETIC = Keys(KEY, "no kind of arithmetic; there are fp32, int8, int2x8, shift8, ...")
OPERATORS = Keys(
    re.compile(rf"({'|'.join(KINDS_OF_OPERATORS)})(/({KEY.pattern}))?", re.ASCII),
    f"no kind of operator; there are {', '.join(KINDS_OF_OPERATORS)}, and conv/int8",
)
PATTERNS = Keys(
    re.compile(r"any|\d+:\d+|block:\d+x\d+|row|column|kernel|(strided|pattern):\d+(\+kernel)?", re.ASCII),
    "no pattern of zeros; there are any, 2:4, block:4x1, row, column, kernel, strided:2, pattern:4",
)
TABLES: Mapping[str, tuple[Range, Keys]] = {
    "macs_per_s": (RATE, ARITHMETIC),
    "mac_energy_j": (MAC_ENERGY, ARITHMETIC),
    "efficiency": (SHARE, OPERATORS),
    "skips": (SHARE, PATTERNS),
    "gates": (SHARE, PATTERNS),
}
TEXTS = ("id", "title", "kind", "cost_model", "profiler", "precision", "form")
MEMORY: Mapping[str, Range] = {"bytes": BYTES, "bandwidth_bytes_per_s": BANDWIDTH, "energy_j_per_bit": BIT_ENERGY}
ARRAY = ("rows", "columns", "weight_words", "input_words", "psum_words")
OTHERS = ("memories", "storage_bits", "compressed", "array", "sources", "precisions")
FIELDS = (*TEXTS, *TABLES, *NUMBERS, *OTHERS)


class Checks:
    """Reads values out of a document and collects what is wrong with them, by field."""

    def __init__(self) -> None:
        self.faults: dict[str, str] = {}

    def wrong(self, field: str, text: str) -> None:
        """Notes the first fault of a field."""
        self.faults.setdefault(field, text)

    def unknown(self, at: str, given: Iterable[str], known: Iterable[str]) -> None:
        """Notes each name that isn't known, with the nearest one."""
        names = list(known)
        for name in given:
            if name not in names:
                near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
                self.wrong(f"{at}{name}", f"there is no such field; {hint}")

    def number(self, field: str, value: Any, within: Range) -> float | int:
        """A number in its range; 0 with a fault noted for anything else."""
        usable = isinstance(value, int | float) and not isinstance(value, bool)
        inside = usable and (within.least <= value <= within.most or (within.zero and value == 0))
        if not inside or (within.whole and value != int(value)):
            self.wrong(field, f"is {value!r:.60}; it is {within.unit}")
            return 0
        return int(value) if within.whole else float(value)

    def text(self, field: str, value: Any, choice: Iterable[str] = ()) -> str:
        """A text, one of a choice where there is one."""
        names = list(choice)
        if not isinstance(value, str) or (names and value not in names):
            near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            self.wrong(field, f"is {value!r:.60}; it is {'one of ' + ', '.join(names) if names else 'text'}{hint}")
            return ""
        return value

    def table(self, field: str, value: Any, within: Range, keys: Keys) -> dict[str, float]:
        """Names and numbers, each in its range."""
        found: dict[str, float] = {}
        for name, entry in self.entries(field, value).items():
            if keys.pattern.fullmatch(str(name)) is None:
                self.wrong(f"{field}.{name}", f"is {keys.hint}")
            found[str(name)] = self.number(f"{field}.{name}", entry, within)
        return found

    def entries(self, field: str, value: Any) -> Mapping[str, Any]:
        """A table of the document."""
        if not isinstance(value, Mapping):
            self.wrong(field, f"is {value!r:.60}; it is a table of names and values")
            return {}
        return value

    def items(self, field: str, value: Any) -> list[Any]:
        """A list of the document."""
        if not isinstance(value, list | tuple):
            self.wrong(field, f"is {value!r:.60}; it is a list")
            return []
        return list(value)

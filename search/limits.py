"""Limits as people write them (`latency=0.5x`, `size=200kB`), and figures as people read them (`0.412 ms`)."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from hwmodels.base import METRICS
from search.problem import Limit, SearchError

SECONDS = {"s": "1", "ms": "1e-3", "us": "1e-6", "µs": "1e-6", "ns": "1e-9"}
JOULES = {"J": "1", "mJ": "1e-3", "uJ": "1e-6", "µJ": "1e-6", "nJ": "1e-9"}
BYTES = {"B": "1"} | {f"{p}B": f"1e{3 * n}" for n, p in enumerate("kMGT", 1)}
BYTES |= {f"{p}iB": str(1024**n) for n, p in enumerate("KMGT", 1)}
COUNTS = {"": "1", "k": "1e3", "K": "1e3", "M": "1e6", "G": "1e9", "T": "1e12"}
UNITS: Mapping[str, Mapping[str, str]] = {
    "latency": SECONDS,
    "energy": JOULES,
    "size": BYTES,
    "memory": BYTES,
    "macs": COUNTS,
}
"""What each metric may be given in: unit -> its size in seconds, joules, bytes or MACs."""

RATIO = ("x", "X", "×")
EXAMPLES = {"latency": "5ms", "energy": "3mJ", "size": "200kB", "memory": "64KiB", "macs": "2.5M"}
SYNONYMS = {"time": "latency", "power": "energy", "bytes": "size", "disk": "size", "ram": "memory", "flops": "macs"}
NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:nan|infinity|inf))\s*", re.I)

DISPLAY: Mapping[str, tuple[tuple[float, float, str], ...]] = {
    "_s": ((1.0, 1.0, " s"), (1e-4, 1e-3, " ms"), (1e-6, 1e-6, " µs"), (0.0, 1e-9, " ns")),
    "_j": ((1.0, 1.0, " J"), (1e-4, 1e-3, " mJ"), (1e-6, 1e-6, " µJ"), (0.0, 1e-9, " nJ")),
    "_bytes": ((1e9, 1e9, " GB"), (1e6, 1e6, " MB"), (1e3, 1e3, " kB"), (0.0, 1.0, " B")),
    "macs": ((1e9, 1e9, " G"), (1e6, 1e6, " M"), (1e3, 1e3, " K"), (0.0, 1.0, "")),
}
"""By the end of a figure's name: (from this value on, unit's size, unit), largest unit first."""


class BadLimit(SearchError):
    """A limit can't be understood, or can't be held; the message names it and says what would be right."""


@dataclass(frozen=True)
class ParsedLimit:
    """At most `value` of a metric: seconds, joules, bytes, MACs, or (`relative`) times the untouched model's."""

    metric: str
    value: float
    relative: bool
    text: str


def parse_limit(metric: str, text: object) -> ParsedLimit:
    """Reads one limit, such as ("latency", "5ms") or ("size", "0.5x"); MACs may be a plain number.

    Raises BadLimit for an unknown metric or unit, a missing, negative, zero or non-finite value.
    """
    metric = _known(metric)
    written = _written(metric, text)
    match = NUMBER.match(written)
    if match is None:
        raise BadLimit(f"{metric}={_cut(written)}: a limit starts with a number, {_right(metric)}")
    unit = written[match.end() :].strip().replace("\u03bc", "\u00b5")  # Greek mu to the micro sign
    if unit.startswith(","):
        raise BadLimit(
            f"{metric}={_cut(written)}: write numbers without commas and decimals with a point, {_right(metric)}"
        )
    _value(metric, written, match[1], "1")
    scale = "1" if unit in RATIO else UNITS[metric].get(unit)
    if scale is None:
        raise BadLimit(f"{metric}={_cut(written)}: {_unit_trouble(metric, match[1], unit)}")
    return ParsedLimit(metric, _value(metric, written, match[1], scale), unit in RATIO, written)


def parse_limits(limits: Mapping[str, object] | Iterable[str]) -> tuple[ParsedLimit, ...]:
    """Reads several, from {"latency": "0.5x"} or ["latency=0.5x"], in the order given.

    A repeated limit counts once; two that differ for one metric contradict each other: BadLimit.
    """
    pairs = limits.items() if isinstance(limits, Mapping) else [_pair(text) for text in _strings(limits)]
    seen: dict[str, ParsedLimit] = {}
    for metric, text in pairs:
        limit = parse_limit(metric, text)
        first = seen.setdefault(limit.metric, limit)
        if (first.value, first.relative) != (limit.value, limit.relative):
            raise BadLimit(
                f"{limit.metric} is limited twice, to {_cut(first.text)} and to {_cut(limit.text)}: give one of them"
            )
    return tuple(seen.values())


def resolve(limits: Iterable[ParsedLimit], untouched: Mapping[str, float]) -> tuple[Limit, ...]:
    """Makes ratios absolute with the untouched model's figures (`latency_s`, ... -> value).

    Raises BadLimit where the device has no figure to hold a limit against.
    """
    return tuple(_resolved(limit, untouched) for limit in limits)


def format_figure(name: str, value: float) -> str:
    """A figure for people, to three digits: ("latency_s", 0.000412) -> "0.412 ms". Unknown names go without unit."""
    if not math.isfinite(value):
        return "unknown"
    size = abs(float(f"{value:.3g}"))
    kind = next((end for end in DISPLAY if name.endswith(end)), "")
    if name == "parameters":
        kind = "macs"
    scale, unit = next(
        ((s, u) for start, s, u in DISPLAY.get(kind, ()) if (size >= start if size else s == 1)), (1.0, "")
    )
    shown = value / scale
    return (f"{shown:.0f}" if abs(shown) >= 999.5 else f"{shown:.3g}") + unit


def _known(metric: str) -> str:
    if metric in METRICS:
        return metric
    near = difflib.get_close_matches(metric.strip().lower(), METRICS, n=1)
    guess = SYNONYMS.get(metric.strip().lower(), near[0] if near else "")
    hint = f"; did you mean {guess}?" if guess else ""
    raise BadLimit(f"{_cut(metric)} can't be limited, only {', '.join(METRICS)} can{hint}")


def _written(metric: str, text: object) -> str:
    if isinstance(text, int | float) and not isinstance(text, bool):
        text = "inf" if isinstance(text, int) and text.bit_length() > 1000 else str(text)
    if not isinstance(text, str):
        raise BadLimit(f"{metric}: a limit is written as text, {_right(metric)}, not {_cut(repr(text))}")
    if not text.strip():
        raise BadLimit(f"{metric}: the value is missing; write {_right(metric)}")
    return text.strip()


def _value(metric: str, written: str, number: str, scale: str) -> float:
    plain = float(number)
    trouble = "isn't a number" if math.isnan(plain) else "is negative" if plain < 0 else ""
    if not trouble and math.isfinite(plain) and plain > 0:
        value = float(Decimal(number) * Decimal(scale))  # in decimal, so that 0.3ms is the float nearest to 0.0003
        if math.isfinite(value) and value > 0:
            return value
    trouble = trouble or ("is infinite" if plain > 1 else "is zero, which nothing can keep")
    raise BadLimit(f"{metric}={_cut(written)} {trouble}; write a positive value, {_right(metric)}")


def _unit_trouble(metric: str, number: str, unit: str) -> str:
    if unit == "%":
        return f"a share is written as a ratio of the untouched model: {float(number) / 100:g}x"
    if not unit:
        return f"the unit is missing; write {_right(metric)}"
    return f"{_cut(unit)} isn't a unit of {metric}; write {_right(metric)}"


def _right(metric: str) -> str:
    units = ", ".join(unit for unit in UNITS[metric] if unit)
    plain = "a plain number or " if "" in UNITS[metric] else ""
    return f"for example {EXAMPLES[metric]} ({plain}one of {units}) or 0.5x (a ratio of the untouched model)"


def _pair(text: str) -> tuple[str, str]:
    metric, equals, value = text.partition("=")
    if not equals:
        raise BadLimit(f"{_cut(text)}: write a limit as metric=value, for example latency=0.5x or size=200kB")
    return metric.strip(), value


def _strings(limits: Iterable[str]) -> Iterable[str]:
    return [limits] if isinstance(limits, str) else limits


def _resolved(limit: ParsedLimit, untouched: Mapping[str, float]) -> Limit:
    figure = METRICS[limit.metric]
    value = untouched.get(figure, math.nan)
    if not math.isfinite(value):
        raise BadLimit(
            f"{limit.metric}={_cut(limit.text)} can't be held: there is no {limit.metric} figure for this device; "
            "leave that limit out or choose another device"
        )
    return Limit(limit.metric, limit.value * value if limit.relative else limit.value, limit.text)


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."

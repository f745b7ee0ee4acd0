"""An outcome in lines of text: what the report, the pages and the command line all show, worded once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwmodels.base import METRICS
from search.amounts import NONE, TITLES, amount, percent, quality_name, ratio, source_words, value
from search.choice_words import choice_words

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """One row of the table untouched against compressed. `better` is None where neither side is."""

    name: str
    before: str
    after: str
    change: str
    source: str
    better: bool | None = None


def headline(outcome: Document) -> list[Line]:
    """Quality, every cost and the parameters, untouched against compressed (dashes where nothing was returned)."""
    before, after = outcome.get("untouched") or {}, outcome.get("compressed") or {}
    lines = [_quality_line(before.get("quality") or {}, after.get("quality") or {})]
    costs, smaller = before.get("costs") or {}, after.get("costs") or {}
    lines += [_cost_line(name, costs, smaller) for name in TITLES if name in costs]
    counts = before.get("parameters"), after.get("parameters")
    old, new = (f"{n:,}" if n is not None else NONE for n in counts)
    return [*lines, Line("Parameters", old, new, ratio(counts[1], counts[0]), "counted", _less(counts[1], counts[0]))]


def trust_lines(outcome: Document) -> list[str]:
    """How far estimates of this device's latency may be trusted, where its table is calibrated."""
    known = outcome.get("calibration")
    if not known:
        return []
    mean, worst, margin = (f"{100 * float(known[name]):.2g} %" for name in ("mean", "worst", "margin"))
    return [
        f"Latencies that are looked up are calibrated on {known['networks']} networks. On networks left out they are "
        f"{mean} off on average and {worst} at worst; budgets count a margin of {margin}."
    ]


def limit_lines(outcome: Document) -> list[tuple[str, str, str, str, bool | None]]:
    """Per limit: name, what was asked, what was achieved, where that figure comes from, whether the limit is kept
    (None: nothing was returned)."""
    return [
        (
            TITLES[METRICS[limit["metric"]]],
            _asked(limit),
            amount(METRICS[limit["metric"]], limit.get("achieved")),
            _judged_by(limit, (outcome.get("compressed") or {}).get("costs") or {}),
            limit.get("kept") if limit.get("achieved") is not None else None,
        )
        for limit in outcome.get("limits") or []
    ]


def least_lines(outcome: Document) -> list[tuple[str, str, str]]:
    """Per metric: name, the least value that can be reached, and the source of that figure."""
    least = outcome.get("least_achievable") or {}
    return [
        (
            TITLES[METRICS[metric]],
            amount(METRICS[metric], entry["value"]),
            source_words({"source": "modelled", **entry}),
        )
        for metric, entry in least.items()
        if metric in METRICS
    ]


def round_lines(outcome: Document) -> list[str]:
    """How a search went on after its finalists had broken a limit, a sentence for each time."""
    return [f"After {entry['evaluations']} trials, {entry['reason']}." for entry in outcome.get("rounds") or []]


@dataclass(frozen=True)
class LayerLine:
    """One layer: its figures as `before → after`, and its choices in words."""

    name: str
    kind: str
    latency: str
    weights: str
    macs: str
    choices: str


def layer_lines(outcome: Document) -> list[LayerLine]:
    """The table per layer, in the order of the network."""
    return [
        LayerLine(
            str(layer["name"]),
            str(layer.get("kind", "")),
            _arrow(layer, "latency_s"),
            _arrow(layer, "weight_bytes"),
            _arrow(layer, "macs"),
            ", ".join(
                f"{m.partition(' of ')[0]}: {choice_words(m, c)}" for m, c in (layer.get("choices") or {}).items()
            )
            or NONE,
        )
        for layer in outcome.get("layers") or []
    ]


def recipe_lines(recipe: Document | None) -> list[tuple[str, str, str]]:
    """Per choice, in order: the site without its kind (`conv1`), the method, and the choice in words."""
    steps = (recipe or {}).get("steps") or []
    return [
        (
            str(site).partition(":")[2] or str(site),
            str(step["method"]),
            choice_words(at_site(step["method"], site), chosen),
        )
        for step in steps
        for site, chosen in step["choices"].items()
    ]


def at_site(method: str, site: str) -> str:
    """The method, and what it counts at a site where that is not channels: a layer may lose heads, and channels of
    each head."""
    kind = str(site).partition(":")[0]
    return f"{method} of {kind}" if kind in ("heads", "groups") else method


def verdict(outcome: Document) -> str:
    """The outcome in one sentence."""
    if outcome["outcome"] == "infeasible":
        return outcome.get("reason") or "These limits can't be kept together by any recipe that was tried."
    if outcome["outcome"] != "feasible" or not outcome.get("compressed"):
        return outcome.get("reason") or "The search ended without an answer."
    before, after = outcome["untouched"], outcome["compressed"]
    name = quality_name(before["quality"]).lower()
    limited = [METRICS[limit["metric"]] for limit in outcome.get("limits") or []]
    gained = [
        f"{ratio(value(after['costs'], figure), value(before['costs'], figure))} the {_of(figure)}"
        for figure in dict.fromkeys([*limited, "latency_s", "file_bytes"])
        if value(before["costs"], figure) and value(after["costs"], figure) is not None
    ]
    gains = " and ".join([", ".join(gained[:-1])] * (len(gained) > 1) + gained[-1:])
    change = _compared(after["quality"].get("score"), before["quality"].get("score"))
    return f"All limits are kept: {gains} of the untouched model, {name} {change}."


def _of(figure: str) -> str:
    return "MACs" if figure == "macs" else TITLES[figure].lower()


def points(after: float | None, before: float | None) -> str:
    """A difference of two shares: `−0.40 points`."""
    if after is None or before is None:
        return NONE
    difference = round(100 * (after - before), 2)
    return f"{difference:+.2f} points".replace("-", "−") if difference else "0.00 points"


def _compared(after: float | None, before: float | None) -> str:
    if after is None or before is None:
        return "not known"
    difference = 100 * (after - before)
    way = "lower" if difference < 0 else "higher"
    return f"{abs(difference):.2f} points {way}" if abs(difference) >= 0.005 else "the same"


def _quality_line(before: Document, after: Document) -> Line:
    samples = before.get("samples") or after.get("samples")
    change = points(after.get("score"), before.get("score"))
    source = f"measured on {samples:,} samples" if samples else "measured"
    return Line(quality_name(before or after), _interval(before), _interval(after), change, source)


def _interval(quality: Document) -> str:
    if quality.get("score") is None:
        return NONE
    low, high = quality.get("low"), quality.get("high")
    text = percent(quality["score"])
    return text if low is None or high is None else f"{text} ({100 * low:.1f} to {100 * high:.1f})"


def _cost_line(name: str, before: Document, after: Document) -> Line:
    old, new = value(before, name), value(after, name)
    source = source_words(after.get(name) or before[name])
    if name in after and after[name]["source"] != before[name]["source"]:
        source += f"; untouched: {source_words(before[name])}"
    return Line(TITLES[name], amount(name, old), amount(name, new), ratio(new, old), source, _less(new, old))


def _judged_by(limit: Document, costs: Document) -> str:
    """The source of the figure that a limit was held against; nothing where none was."""
    entry = costs.get(METRICS[limit["metric"]])
    if limit.get("achieved") is None or entry is None:
        return NONE
    upper = " (upper end)" if entry["source"] in ("looked up", "modelled") and entry.get("error") else ""
    return source_words(entry) + upper


def _arrow(layer: Document, figure: str) -> str:
    before, after = (layer.get("before") or {}).get(figure), (layer.get("after") or {}).get(figure)
    return f"{amount(figure, before)} → {amount(figure, after)}"


def _less(after: float | None, before: float | None) -> bool | None:
    return None if after is None or before is None or after == before else after < before


def _asked(limit: Document) -> str:
    value_text = amount(METRICS[limit["metric"]], limit["value"])
    text = str(limit.get("text") or "")
    return f"at most {value_text} ({text})" if text.strip().lower().endswith("x") else f"at most {value_text}"

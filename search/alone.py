"""What each method would bring by itself on this device: why a recipe looks as it does.

Every method that takes part is put on all its sites at its middle choice (the only one, where there are two values:
int8), and costed like any candidate. Where a device gains nothing by a form, the figures say so, and the recipe's
choices are to be read beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from search.alone_words import FIGURES
from search.candidates import Effort, compress, cost_of
from search.context import Context
from search.evaluate import KNOWN
from search.problem import Recipe, Step, Value, Variable

Document = dict[str, Any]


def alone(
    context: Context, methods: Sequence[str], variables: Sequence[Variable], untouched: Mapping[str, Any]
) -> list[Document]:
    """One entry per method: its choice, at how many sites, and each figure as a ratio of the untouched model's.

    A method that finds no site, or whose choice the device has no figure for, has an `error` in their place.
    """
    return [_entry(context, name, [v for v in variables if v.method == name], untouched) for name in methods]


def _entry(context: Context, method: str, variables: Sequence[Variable], untouched: Mapping[str, Any]) -> Document:
    choices: dict[str, Value] = {v.site: v.values[len(v.values) // 2] for v in variables}
    entry: Document = {"method": method, "value": None, "sites": len(choices), "ratios": {}, "error": ""}
    if not choices:
        return entry | {"error": f"no place for it in this model on {context.device.id}"}
    entry["value"] = Counter(choices.values()).most_common(1)[0][0]
    try:
        graph = compress(context, Recipe((Step(method, choices),)), Effort.NONE)
        costs: Mapping[str, Any] = cost_of(context, graph).to_json()
    except KNOWN as error:
        return entry | {"error": str(error)}
    return entry | {
        "ratios": {name: _ratio(costs[name], untouched[name]) for name in FIGURES if _known(name, untouched)}
    }


def _known(name: str, untouched: Mapping[str, Any]) -> bool:
    return bool(name in untouched and float(untouched[name]["value"]))


def _ratio(after: Mapping[str, Any], before: Mapping[str, Any]) -> Document:
    """A ratio with the source of its figures and, as its error, the larger of theirs."""
    errors = float(after.get("error", 0.0)), float(before.get("error", 0.0))
    return {"ratio": float(after["value"]) / float(before["value"]), "source": after["source"], "error": max(errors)}

"""The page of one search: what it shows, from the tables."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from sqlalchemy.orm import Session

from db import artefacts, searches, trials
from hwmodels.base import METRICS
from search import plots, summary
from search.alone_words import alone_lines
from search.amounts import amount, title
from search.energy_words import energy_lines
from service.bundles import ZIP_NAME
from service.dashboard.cards import columns_of, search_card, trial_card
from service.records import trial_document
from service.views import search_document
from service.words import moment

Document = Mapping[str, Any]

ROWS, POINTS = 200, 2000
"""How many trials the table and the figure show; the API has all of them."""

FILES = {
    "model.fwm": "the compressed model, to load with fitwright",
    "model.onnx": "the same model for any ONNX runtime",
    "model.tflite": "the same model for LiteRT",
    "untouched.fwm": "the model as it came",
    "report.html": "all results on one page, offline",
    "recipe.json": "what was done at each site",
    "receipt.json": "what it takes to do the same again",
    "result.json": "all figures with their sources",
    "report.npz": "the samples that the reported quality was measured on",
    "README.txt": "what is what",
}


@dataclass(frozen=True)
class Axis:
    """A cost that the front may be drawn over."""

    figure: str
    title: str
    here: bool


def search_context(session: Session, search_id: str, x: str, number: int | None, now: float) -> dict[str, Any]:
    """What search.html needs. Raises NotFound."""
    row = searches.get(session, search_id)
    document = search_document(session, row)
    found = [trial_document(trial) for trial in trials.of_search(session, search_id)]
    result = document["result"]
    returned = ((result or {}).get("compressed") or {}).get("trial")
    columns = columns_of(found)
    x = x if x in columns else default_axis(document, columns)
    chosen = number if number is not None else returned
    picked = next((trial for trial in found if trial["number"] == chosen), None)
    reference, limits = document["reference"], document["limits"]
    front = plots.front_figure(
        thinned(found), limits, reference, x, returned, None if picked is None else picked["number"]
    )
    ended = [trial for trial in found if trial["state"] not in ("queued", "running")]
    return {
        "search": search_card(document, now),
        "verdict": summary.verdict(result) if result else "",
        "result": result_context(result) if result else None,
        "x": x,
        "axes": [Axis(name, title(name), name == x) for name in columns],
        "front": Markup(plots.embedded(front)),
        "history": Markup(plots.embedded(plots.history_figure(thinned(ended), reference))),
        "picked": trial_card(picked, columns, reference) if picked else None,
        "columns": [title(name) for name in columns],
        "trials": [trial_card(trial, columns, reference) for trial in reversed(ended[-ROWS:])],
        "trials_caption": caption(len(ended)),
        "files": [file_line(f.name, f.file_bytes, search_id) for f in artefacts.of_search(session, search_id)][:50],
        "bundle": f"/v1/searches/{search_id}/artifacts/{ZIP_NAME}",
        "facts": facts(document, now),
        "command": command(document),
    }


def result_context(result: Document) -> dict[str, Any]:
    """The result's tables and the figure of its layers."""
    timed = any((layer.get("before") or {}).get("latency_s") for layer in result.get("layers") or [])
    return {
        "headline": summary.headline(result),
        "limits": summary.limit_lines(result),
        "trust": summary.trust_lines(result),
        "rounds": summary.round_lines(result),
        "alone": alone_lines(result),
        "device": result.get("device") or "",
        "energy": energy_lines(result),
        "energy_figure": Markup(plots.embedded(plots.energy_figure(result))) if result.get("energy_levels") else "",
        "least": summary.least_lines(result) if result["outcome"] != "feasible" else [],
        "flags": result.get("flags") or [],
        "layers": summary.layer_lines(result) if result.get("compressed") else [],
        "figure": Markup(plots.embedded(plots.layers_figure(result, "latency_s" if timed else "macs"))),
    }


def default_axis(document: Document, columns: Sequence[str]) -> str:
    """The cost that the first limit is about."""
    asked = [METRICS[metric] for metric in document.get("budget") or {} if metric in METRICS]
    return next((name for name in asked if name in columns or not columns), "latency_s")


def thinned(found: Sequence[Document]) -> list[Document]:
    """At most about POINTS trials: the best ones, and an even sample of the others."""
    if len(found) <= POINTS:
        return list(found)
    ranked = sorted(found, key=lambda t: -((t.get("quality") or {}).get("score") or 0.0))
    half = POINTS // 2
    rest = ranked[half:]
    return sorted([*ranked[:half], *rest[:: len(rest) // half + 1]], key=lambda t: int(t["number"]))


def caption(count: int) -> str:
    """What the table of trials holds."""
    return "Newest first" if count <= ROWS else f"The newest {ROWS} of {count:,}; the API lists all of them"


def file_line(name: str, size: int, search_id: str) -> dict[str, str]:
    """A file of the bundle with what it is for."""
    what = FILES.get(name, "all of these files" if name == ZIP_NAME else "")
    href = f"/v1/searches/{search_id}/artifacts/{name}"
    return {"name": name, "size": amount("file_bytes", size), "what": what, "href": href}


def facts(document: Document, now: float) -> list[tuple[str, str]]:
    """What was asked, and when what happened."""
    request = document["request"]
    pairs = [
        ("Id", document["id"]),
        ("Model", document["model"]["name"]),
        ("Data", document["dataset"]["name"]),
        ("Device", document["device"]),
        *((f"At most ({metric})", text) for metric, text in request["limits"].items()),
        ("Evaluations", f"{request['evaluations']:,}"),
        ("Strategy", request["strategy"]),
        ("Methods", ", ".join(request["methods"] or ()) or "all"),
        ("Seed", str(request["seed"])),
    ]
    times = (("Submitted", "created_at"), ("Began", "started_at"), ("Ended", "finished_at"))
    pairs += [(name, f"{m.date} ({m.text})") for name, key in times if (m := moment(document.get(key), now))]
    return [*pairs, ("Batch", document["batch"])] if document.get("batch") else pairs


def command(document: Document) -> str:
    """The same request as a command line."""
    request = document["request"]
    name = document["model"]["name"] or "model"
    words = ["fitwright", "search", f"{name}.fwm", "--data", document["dataset"]["name"], "--device", request["device"]]
    for metric, text in request["limits"].items():
        words += ["--limit", f"{metric}={text}"]
    words += ["--evaluations", str(request["evaluations"]), "--seed", str(request["seed"])]
    words += ["--strategy", request["strategy"]]
    words += ["--methods", ",".join(request["methods"])] if request["methods"] else []
    return shlex.join(words)

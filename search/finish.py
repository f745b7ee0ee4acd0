"""Finalists and the end of a search: trained to the end, exported, packed, reloaded, measured again, and one chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwmodels.base import METRICS, Source
from methods.graph.file import from_bytes, to_bytes
from methods.graph.ir import Graph
from methods.graph.onnx_out.export import check_export, export
from methods.graph.surgery.edit import difference
from search.bundle import onnx_quality, write_bundle, write_folder
from search.candidates import Effort, compress, cost_of
from search.context import Context, measure_pair
from search.evaluate import KNOWN
from search.flags import flags_of
from search.layers import compare_layers
from search.limits import format_figure
from search.prepare import Document
from search.problem import Recipe, SearchError

EXPORT_TOLERANCE = 1e-3
"""Relative difference allowed between the fp32 ONNX file and the graph; integer kernels round differently and are
held against accuracy instead."""
NOISE = 0.01
"""What a measured latency must stay below its limit by, so that it keeps it when it is measured again: halves of one
measurement differ by 0.1 to 0.3 %, separate ones by up to 1.5 %."""
ONNX_POINTS = 0.02
"""Most accuracy that the ONNX file of a quantised network may differ by from its graph."""


def finish(context: Context, prepared: Mapping[str, Any], trial: Mapping[str, Any], folder: Path) -> Document:
    """Makes a finalist whole and writes it to `folder`, all or nothing; a failure is a result with its reason."""
    base = {"trial": trial["number"], "recipe": trial["recipe"], "folder": str(folder)}
    try:
        return base | _finish(context, prepared, Recipe.from_json(trial["recipe"]), folder)
    except KNOWN as error:
        return base | {"costs": {}, "quality": {}, "kept": False, "limits": [], "error": str(error)}


def _finish(context: Context, prepared: Mapping[str, Any], recipe: Recipe, folder: Path) -> Document:
    made = compress(context, recipe, Effort.FINAL)
    packed = to_bytes(made)
    graph = from_bytes(packed)
    if (gap := difference(made, graph, made.example(2))) > EXPORT_TOLERANCE:
        raise SearchError(f"the packed model computes something else than the trained one (difference {gap:.2g})")
    program = export(graph)
    quality = context.quality(graph, "choice")
    onnx = _check_onnx(context, graph, program, quality)
    costs, untouched_s = _measured(context, graph, program)
    verdicts = judge(prepared["limits"], costs, untouched_s)
    write_folder(folder, {"model.fwm": packed, "model.onnx": program})
    return {
        "costs": costs,
        "quality": quality,
        "onnx": onnx,
        "untouched_latency_s": untouched_s,
        "parameters": graph.parameter_count,
        "limits": verdicts,
        "kept": all(v["kept"] for v in verdicts),
        "error": "",
    }


def _check_onnx(context: Context, graph: Graph, program: bytes, quality: Mapping[str, float]) -> Document:
    """Holds the ONNX file against the graph: outputs in fp32, accuracy where integers round differently."""
    error = check_export(graph, program)
    found = onnx_quality(program, graph, context.splits.choice, context.teacher_outputs("choice"))
    if not graph.quantised and error > EXPORT_TOLERANCE:
        raise SearchError(f"the ONNX file computes something else than the graph (relative difference {error:.2g})")
    if abs(found["score"] - quality["score"]) > ONNX_POINTS:
        raise SearchError(f"the ONNX file scores {found['score']:.3f} where the graph scores {quality['score']:.3f}")
    return {"relative_error": error, "score": found["score"]}


def _measured(context: Context, graph: Graph, program: bytes) -> tuple[Document, float | None]:
    """Costs with the latency measured, if the device can be timed, and the untouched model's from the same run."""
    costs = cost_of(context, graph).to_json()
    if context.profiler is None:
        return dict(costs), None
    before, after = measure_pair(context, [export(context.graph), program])
    return {**costs, "latency_s": measured_figure(after.latency_s, after.disagreement)}, before.latency_s


def measured_figure(latency_s: float, disagreement: float) -> Document:
    """A measured latency as a figure."""
    return {"value": latency_s, "source": Source.MEASURED.value, "error": disagreement}


def judge(
    limits: Sequence[Mapping[str, Any]], costs: Mapping[str, Any], untouched_s: float | None, noise: float = NOISE
) -> list[Document]:
    """Each limit with what was achieved. A latency ratio is held against the untouched model timed in the same run.

    A measured value keeps a limit if it does so with `noise` (relative) to spare; a negative one forgives as much.
    """
    verdicts = []
    for limit in limits:
        entry = costs[METRICS[limit["metric"]]]
        value, bound, spare = float(entry["value"]), float(limit["value"]), 0.0
        if entry["source"] == Source.MEASURED.value:
            bound = float(limit["ratio"]) * untouched_s if limit.get("ratio") and untouched_s else bound
            spare = noise
        elif entry["source"] != Source.COUNTED.value:
            value *= 1.0 + float(entry.get("error", 0.0))
        verdicts.append({**limit, "value": bound, "achieved": value, "kept": value * (1.0 + spare) <= bound})
    return verdicts


def conclude(
    context: Context,
    prepared: Mapping[str, Any],
    trials: Sequence[Mapping[str, Any]],
    results: Sequence[Mapping[str, Any]],
    folder: Path,
) -> Document:
    """Chooses the winner, scores it once on the report split, and writes the bundle; returns the outcome document."""
    untouched = {**prepared["reference"], "quality": context.quality(context.graph, "report")}
    outcome: Document = {
        "outcome": "infeasible" if prepared["infeasible"] else "undecided",
        "reason": "",
        "untouched": untouched,
        "compressed": None,
        "limits": list(prepared["limits"]),
        "finalists": [_short(r) for r in results],
        "least_achievable": prepared["least_achievable"],
        "flags": [],
        "layers": [],
        "files": {},
        "bundle": "",
    }
    kept = [r for r in results if r["kept"]]
    if not kept:
        return {**outcome, "reason": _why_not(prepared, trials, results)}
    winner = max(kept, key=lambda r: (float(r["quality"]["score"]), -float(r["quality"]["loss"]), -int(r["trial"])))
    graph = from_bytes((Path(winner["folder"]) / "model.fwm").read_bytes())
    if winner["untouched_latency_s"] is not None:
        figure = measured_figure(winner["untouched_latency_s"], winner["costs"]["latency_s"]["error"])
        outcome["untouched"] = {**untouched, "costs": {**untouched["costs"], "latency_s": figure}}
    outcome |= {
        "outcome": "feasible",
        "reason": f"trial {winner['trial']} keeps every limit",
        "compressed": {
            **{k: winner[k] for k in ("costs", "recipe", "trial", "parameters")},
            "quality": context.quality(graph, "report"),
        },
        "limits": winner["limits"],
        "layers": compare_layers(context, graph, Recipe.from_json(winner["recipe"])),
    }
    outcome["flags"] = flags_of(context, outcome, graph)
    return write_bundle(context, outcome, trials, prepared["reference"], Path(winner["folder"]), folder)


def _short(result: Mapping[str, Any]) -> Document:
    return {k: result.get(k) for k in ("trial", "costs", "quality", "kept", "limits", "error")}


def _why_not(
    prepared: Mapping[str, Any], trials: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]]
) -> str:
    if prepared["infeasible"]:
        first = prepared["infeasible"][0]
        least = format_figure(METRICS[first["metric"]], float(first["least"]))
        return f"{first['metric']} {first['text']} can't be met: the strongest compression reaches {least}"
    failed = [str(t["error"]) for t in trials if t.get("error")] + [str(r["error"]) for r in results if r.get("error")]
    if failed and not results:
        return f"no candidate could be evaluated; the first failure: {failed[0]}"
    if results:
        return "no finalist kept every limit when it was measured again" + (f": {failed[0]}" if failed else "")
    return f"none of {len(trials)} candidates kept every limit; raise a limit or allow more evaluations"

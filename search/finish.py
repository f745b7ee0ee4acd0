"""Finalists and the end of a search: trained to the end, exported, packed, reloaded, measured again, and one chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwmodels.base import METRICS
from methods.graph.file import from_bytes, to_bytes
from methods.graph.ir import Graph
from methods.graph.onnx_out.export import check_export, export
from methods.graph.surgery.edit import difference
from search.bundle import onnx_quality, write_bundle, write_folder
from search.candidates import Effort, compress
from search.context import Context
from search.energy_levels import compare_energy
from search.evaluate import KNOWN
from search.flags import flags_of
from search.judging import judge
from search.layers import compare_layers
from search.limits import format_figure
from search.measuring import artefacts, measured, values_of
from search.prepare import Document
from search.problem import Recipe, SearchError

EXPORT_TOLERANCE = 1e-3
"""Relative difference allowed between the fp32 ONNX file and the graph; integer kernels round differently and are
held against accuracy instead."""
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
    found = measured(context, graph, recipe)
    verdicts = judge(prepared["limits"], found.costs, values_of(found.untouched))
    write_folder(folder, {"model.fwm": packed, "model.onnx": program} | artefacts(context, graph))
    return {
        "costs": found.costs,
        "quality": quality,
        "onnx": onnx,
        "untouched": found.untouched,
        "unquantised": found.unquantised,
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
        "device": context.device.id,
        "calibration": prepared.get("calibration"),
        "rounds": list(prepared.get("rounds") or []),
        "alone": list(prepared.get("alone") or []),
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
    outcome |= {
        "untouched": {**untouched, "costs": {**untouched["costs"], **winner["untouched"]}},
        "outcome": "feasible",
        "reason": f"trial {winner['trial']} keeps every limit",
        "compressed": {
            **{k: winner[k] for k in ("costs", "recipe", "trial", "parameters", "unquantised")},
            "quality": context.quality(graph, "report"),
        },
        "limits": winner["limits"],
        "layers": compare_layers(context, graph, Recipe.from_json(winner["recipe"])),
    }
    outcome["energy_levels"] = compare_energy(context, graph)
    outcome["flags"] = [*flags_of(context, outcome, graph), *(prepared.get("notes") or ())]
    return write_bundle(context, outcome, trials, prepared, Path(winner["folder"]), folder)


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
        rounds = len(prepared.get("rounds") or ()) + 1
        when = "when it was measured again" + (f", in {rounds} rounds" if rounds > 1 else "")
        return f"no finalist kept every limit {when}" + (f": {failed[0]}" if failed else "")
    return f"none of {len(trials)} candidates kept every limit; raise a limit or allow more evaluations"

"""Proofs of a bundle: check (recompute, re-measure, recount) and replay (build it again, compare the weights)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwmodels.base import METRICS, Source
from hwmodels.device import Device
from hwmodels.roofline import Roofline
from methods.graph.file import to_bytes
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.program import program_for
from search.bundle import onnx_quality, read_graph, read_json, read_samples, sha256
from search.candidates import Effort, compress
from search.context import open_context
from search.data import BUILTIN
from search.devices import Hardware
from search.judging import judge
from search.measuring import figures_of, metered, values_of
from search.problem import Recipe, SearchError
from search.quality import evaluate_quality, outputs_of
from search.receipts import device_of, hardware_of

Document = dict[str, Any]
COUNTED = ("file_bytes", "macs")
"""Figures that are counted anywhere, whatever the device."""
FORGIVEN = 0.02
"""How far over a limit a latency may be when it is measured again, on another day: noise, not a broken promise."""


def check(folder: Path) -> Document:
    """Recomputes everything that a bundle claims: `ok`, and one row per claim with what was recorded and found.

    Raises BadBundle where the folder is not a whole bundle.
    """
    result, receipt = read_json(folder, "result.json"), read_json(folder, "receipt.json")
    graph, untouched = read_graph(folder, "model.fwm"), read_graph(folder, "untouched.fwm")
    rows = [_files(folder, receipt)]
    rows += _quality(folder, result, graph, untouched)
    claimed = result["compressed"]
    rows.append(_row("parameters", claimed["parameters"], graph.parameter_count))
    device = device_of(receipt)
    macs = lower(graph, device.batch).macs
    rows.append(_row("macs", claimed["costs"]["macs"]["value"], float(macs)))
    size = (folder / "model.fwm").stat().st_size
    rows.append(_row("file bytes", claimed["costs"]["file_bytes"]["value"], float(size)))
    rows += _limits(result, device, graph, untouched)
    return {"ok": all(r["ok"] for r in rows), "folder": str(folder), "checks": rows}


def _row(name: str, recorded: Any, found: Any, ok: bool | None = None, note: str = "") -> Document:
    return {
        "name": name,
        "recorded": recorded,
        "found": found,
        "ok": recorded == found if ok is None else ok,
        "note": note,
    }


def _files(folder: Path, receipt: Document) -> Document:
    changed = [
        name
        for name, digest in receipt["files_sha256"].items()
        if not (folder / name).is_file() or sha256((folder / name).read_bytes()) != digest
    ]
    note = "changed since: " + ", ".join(changed) if changed else "every file as written"
    return _row("content hashes", len(receipt["files_sha256"]), len(receipt["files_sha256"]) - len(changed), note=note)


def _quality(folder: Path, result: Document, graph: Any, untouched: Any) -> list[Document]:
    """Quality of the packed model and of its ONNX file on the report split."""
    data = read_samples(folder)
    teacher = outputs_of(untouched, data)
    claimed = result["compressed"]["quality"]["score"]
    found = evaluate_quality(graph, data, teacher)["score"]
    onnx = onnx_quality((folder / "model.onnx").read_bytes(), graph, data, teacher)["score"]
    one = 1.5 / len(data)
    return [
        _row("quality of model.fwm", claimed, found, abs(claimed - found) <= one, f"{len(data)} samples"),
        _row("quality of model.onnx", claimed, onnx, abs(claimed - onnx) <= 0.02, f"{len(data)} samples"),
    ]


def _limits(result: Document, device: Device, graph: Graph, before: Graph) -> list[Document]:
    """Every limit judged again: timed afresh, both models in turn, or modelled afresh from the device's datasheet."""
    hardware, why_not = hardware_of(device)
    costs, untouched = dict(result["compressed"]["costs"]), {}
    if hardware is not None and hardware.profiler is not None:
        runs = hardware.profiler.measure([program_for(before, device), program_for(graph, device)], device)
        untouched, after = (figures_of(run, metered(runs)) for run in runs)
        costs |= {name: figure for name, figure in after.items() if costs[name]["source"] == Source.MEASURED.value}
    elif hardware is not None:
        costs |= hardware.cost_model.estimate(lower(graph, device.batch), device).to_json()
    recorded = {limit["metric"]: limit["achieved"] for limit in result["limits"]}
    rows = []
    for verdict in judge(result["limits"], costs, values_of(untouched), -FORGIVEN):
        name, note = str(verdict["metric"]), f"at most {verdict['value']:.6g}, {verdict['source']}"
        if why_not and METRICS[name] not in COUNTED:
            rows.append(_row(f"limit {name}", recorded[name], "–", True, why_not))
        else:
            rows.append(_row(f"limit {name}", recorded[name], verdict["achieved"], verdict["kept"], note))
    return rows


def replay(folder: Path, model: Path | None = None, data: Path | str | None = None) -> Document:
    """Builds the model again from recipe and receipt; `identical` says whether its file is the same byte for byte.

    Args:
        model: the untouched model, by default the bundle's own. data: by default the one that the receipt names.
    """
    receipt = read_json(folder, "receipt.json")
    source = data if data is not None else receipt["request"].get("dataset_path") or receipt["request"]["dataset"]
    if source not in BUILTIN and not Path(source).exists():
        raise SearchError(f"the receipt names {source}, which was uploaded and is no file here; give it with --data")
    device = device_of(receipt)
    hardware = hardware_of(device)[0] or Hardware(device, Roofline())  # what is built doesn't depend on costs
    context = open_context(receipt["request"], model or folder / "untouched.fwm", source, hardware)
    if context.data_hash != receipt["data_sha256"]:
        raise SearchError(f"the data set {source} is not the one that the model was made with; give it with --data")
    rebuilt = to_bytes(compress(context, Recipe.from_json(read_json(folder, "recipe.json")), Effort.FINAL))
    expected = receipt["files_sha256"]["model.fwm"]
    return {"identical": sha256(rebuilt) == expected, "expected": expected, "found": sha256(rebuilt)}

"""Proofs of a bundle: check (recompute, re-measure, recount) and replay (build it again, compare the weights)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwmodels.catalogue import device as find_device
from methods.graph.file import to_bytes
from methods.graph.lower import lower
from methods.graph.onnx_out.export import export
from search.bundle import onnx_quality, read_graph, read_json, read_samples, sha256
from search.candidates import Effort, compress
from search.context import open_context
from search.data import BUILTIN
from search.devices import open_device
from search.finish import judge, measured_figure
from search.problem import Recipe, SearchError
from search.quality import evaluate_quality, outputs_of

Document = dict[str, Any]
FORGIVEN = 0.02
"""How far over a limit a latency may be when it is measured again, on another day: noise, not a broken promise."""


def _forget(row: Document) -> None:
    """Measurements of a check are not kept."""
    del row


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
    macs = lower(graph, find_device(receipt["device"]).batch).macs
    rows.append(_row("macs", claimed["costs"]["macs"]["value"], float(macs)))
    size = (folder / "model.fwm").stat().st_size
    rows.append(_row("file bytes", claimed["costs"]["file_bytes"]["value"], float(size)))
    rows += _limits(result, receipt, graph, untouched)
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


def _limits(result: Document, receipt: Document, graph: Any, untouched: Any) -> list[Document]:
    """Every limit judged again; the latency is timed afresh, both models in turn."""
    device = find_device(receipt["device"])
    _, profiler = open_device(device, [], _forget)
    costs, before_s = dict(result["compressed"]["costs"]), None
    if profiler is not None:
        before, after = profiler.measure([export(untouched), export(graph)], device)
        costs["latency_s"] = measured_figure(after.latency_s, after.disagreement)
        before_s = before.latency_s
    rows = []
    for verdict in judge(result["limits"], costs, before_s, -FORGIVEN):
        note = f"at most {verdict['value']:.6g}"
        recorded = next(x["achieved"] for x in result["limits"] if x["metric"] == verdict["metric"])
        rows.append(_row(f"limit {verdict['metric']}", recorded, verdict["achieved"], verdict["kept"], note))
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
    context = open_context(receipt["request"], model or folder / "untouched.fwm", source, [], _forget)
    if context.data_hash != receipt["data_sha256"]:
        raise SearchError(f"the data set {source} is not the one that the model was made with; give it with --data")
    rebuilt = to_bytes(compress(context, Recipe.from_json(read_json(folder, "recipe.json")), Effort.FINAL))
    expected = receipt["files_sha256"]["model.fwm"]
    return {"identical": sha256(rebuilt) == expected, "expected": expected, "found": sha256(rebuilt)}

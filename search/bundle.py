"""The bundle: what a user takes away, complete or not there at all, and the proofs that it is what it says."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor

from hwmodels.onnx_runtime import session
from methods.base import Data
from methods.graph.file import from_bytes, to_bytes
from methods.graph.ir import Graph
from search.context import Context
from search.problem import SearchError
from search.quality import score
from search.receipts import device_entries
from search.report import write_report

Document = dict[str, Any]
README = """This folder was made by Fitwright.

model.fwm      the compressed model, packed; fitwright.load("model.fwm") gives a trainable nn.Module
model.onnx     the same model for any ONNX runtime; the first axis of inputs and outputs is the batch. With int8 layers,
               on x86 processors without VNNI, open it in onnxruntime with the session option
               session.x64quantprecision=1, as it was measured: without it products of bytes overflow there
model.tflite   (for LiteRT alone) the same model as that runtime was measured with
untouched.fwm  the model as it came, to compare with
recipe.json    what was done at each site; receipt.json: everything needed to do it again
result.json    all figures with their sources; report.html: the same to look at, offline
report.npz     the samples that the reported quality was measured on

fitwright check .     recomputes the quality, measures the latency again and counts the bytes
fitwright replay .    builds the model again from recipe and receipt and compares the weights
"""


class BadBundle(SearchError):
    """A folder is not a whole bundle."""


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files to a new folder, all or nothing: into a temporary one beside it, synced, then renamed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        for name, data in files.items():
            with (temporary / name).open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        temporary.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def write_bundle(
    context: Context,
    outcome: Document,
    trials: Sequence[Mapping[str, Any]],
    prepared: Mapping[str, Any],
    candidate: Path,
    folder: Path,
) -> Document:
    """Writes the final bundle; returns the outcome with its files and place filled in."""
    files = {path.name: path.read_bytes() for path in sorted(candidate.iterdir())}
    files["untouched.fwm"] = to_bytes(context.graph)
    files["recipe.json"] = _json(outcome["compressed"]["recipe"])
    files["receipt.json"] = _json(_receipt(context, outcome, files, prepared))
    files["report.npz"] = _samples(context.splits.report)
    files["README.txt"] = README.encode()
    outcome = {**outcome, "files": {n: len(d) for n, d in files.items()}, "bundle": str(folder)}
    files["result.json"] = _json({**outcome, "bundle": folder.name})
    files["report.html"] = _report(outcome, trials, prepared["reference"], json.loads(files["receipt.json"]))
    write_folder(folder, files)
    return outcome


def _json(document: Any) -> bytes:
    return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()


def _report(
    outcome: Document, trials: Sequence[Mapping[str, Any]], reference: Mapping[str, Any], receipt: Document
) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "report.html"
        write_report(outcome, [dict(t) for t in trials], dict(reference), path, receipt)
        return path.read_bytes()


def _samples(data: Data) -> bytes:
    arrays = {f"x{i}": x.numpy() for i, x in enumerate(data.inputs)}
    if data.labels is not None:
        arrays["y"] = data.labels.numpy()
    with tempfile.TemporaryFile() as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
        stream.seek(0)
        return stream.read()


def _receipt(context: Context, outcome: Document, files: Mapping[str, bytes], prepared: Mapping[str, Any]) -> Document:
    """What it takes to do the same again: request, seeds, content hashes, versions."""
    return {
        "request": dict(context.request),
        "recipe": outcome["compressed"]["recipe"],
        "trial": outcome["compressed"]["trial"],
        "model_sha256": context.model_hash,
        "data_sha256": context.data_hash,
        "files_sha256": {name: sha256(data) for name, data in files.items()},
        "versions": {name: version(name) for name in ("fitwright", "torch", "onnxruntime", "numpy")}
        | {"python": platform.python_version()},
        **device_entries(context.device, prepared),
    }


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read_json(folder: Path, name: str) -> Any:
    """A JSON file of a bundle. Raises BadBundle where it is missing or damaged."""
    try:
        return json.loads((folder / name).read_text())
    except (OSError, ValueError) as error:
        raise BadBundle(f"{folder} is not a whole bundle: {name} is missing or damaged") from error


def read_graph(folder: Path, name: str) -> Graph:
    """A model of a bundle."""
    if not (folder / name).is_file():
        raise BadBundle(f"{folder} is not a whole bundle: {name} is missing")
    return from_bytes((folder / name).read_bytes(), name)


def read_samples(folder: Path) -> Data:
    """The report split of a bundle."""
    try:
        with np.load(folder / "report.npz", allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BadBundle(f"{folder} is not a whole bundle: report.npz is missing or damaged") from error
    labels = arrays.pop("y", None)
    inputs = tuple(torch.from_numpy(arrays[f"x{i}"]) for i in range(len(arrays)))
    return Data(inputs, None if labels is None else torch.from_numpy(labels))


def _refuse_external(program: bytes) -> None:
    """An ONNX file may name other files for its weights; ours never does."""
    try:
        tensors = onnx.load_model_from_string(program).graph.initializer
    except Exception as error:  # protobuf's own classes have no common base but this
        raise BadBundle(f"model.onnx can't be loaded: {str(error)[:160]}") from error
    outside = [t.name for t in tensors if t.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        raise BadBundle(f"model.onnx reads {outside[0][:60]} from another file, which a bundle's never does")


def onnx_quality(program: bytes, graph: Graph, data: Data, teacher: Tensor) -> dict[str, float]:
    """Quality of an ONNX file, run by onnxruntime on the CPU. Raises BadBundle where it would read other files."""
    _refuse_external(program)
    try:
        opened = session(program)
    except Exception as error:  # onnxruntime's own classes have no common base but this
        raise BadBundle(f"model.onnx can't be loaded: {str(error)[:160]}") from error
    parts = []
    for start in range(0, len(data), 250):
        feed = {s.name: x[start : start + 250].numpy() for s, x in zip(graph.inputs, data.inputs, strict=True)}
        parts.append(torch.from_numpy(opened.run(None, feed)[0]))
    return score(torch.cat(parts), data, teacher)

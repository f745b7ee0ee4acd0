"""`.fwm`, our own model file: a zip of `graph.json` and `weights.safetensors`. Reading it runs nothing.

Weights that a method gave a compact form (codebooks, 8-bit codes) are stored in that form, so the size of this file
is what a size budget is about.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save
from torch import Tensor, fx

from methods.graph import nodes_json
from methods.graph.file_members import FORMAT, GRAPH, WEIGHTS, members, words
from methods.graph.ir import Graph, InputSpec, empty_module
from methods.graph.nodes_json import PATH, BadFile
from methods.graph.ops import kind_of
from methods.storage import codes
from methods.storage.payload import Packed

EPOCH = (1980, 1, 1, 0, 0, 0)
"""Date of every zip member, so that equal models are equal files."""


def write(graph: Graph, path: Path | str) -> int:
    """Writes the file whole or not at all; returns its bytes."""
    data = to_bytes(graph)
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return len(data)


def to_bytes(graph: Graph) -> bytes:
    """The file's content: the same bytes for the same graph."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    entries: dict[str, Any] = {}
    for name, tensor, trainable in _tensors(graph):
        entries[name] = _store(graph, name, tensor, trainable, arrays)
    document = {
        "format": FORMAT,
        "inputs": [[s.name, list(s.shape), s.dtype, s.values] for s in graph.inputs],
        "outputs": list(graph.output_names),
        "sites": graph.sites,
        "rates": graph.rates,
        "nodes": nodes_json.to_json(graph.module.graph),
        "tensors": {k: v for k, v in entries.items() if v is not None},
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        text = json.dumps(document, separators=(",", ":"))
        archive.writestr(zipfile.ZipInfo(GRAPH, EPOCH), text, zipfile.ZIP_DEFLATED, 9)
        archive.writestr(zipfile.ZipInfo(WEIGHTS, EPOCH), save(arrays), zipfile.ZIP_STORED)
    return buffer.getvalue()


def packed_bytes(graph: Graph) -> int:
    """Bytes that the graph takes as a file."""
    return len(to_bytes(graph))


def _tensors(graph: Graph) -> list[tuple[str, Tensor, bool]]:
    parameters = [(n, t.detach(), True) for n, t in graph.module.named_parameters()]
    return parameters + [(n, t, False) for n, t in graph.module.named_buffers()]


def _store(graph: Graph, name: str, tensor: Tensor, trainable: bool, arrays: dict[str, Any]) -> Any:
    """Adds a tensor's bytes to `arrays`; returns its entry, or None where another entry covers it."""
    key = str(len(arrays))
    stem, _, leaf = name.rpartition(".")
    if leaf == "indices" and stem + ".codebook" in dict(graph.module.named_parameters()):
        return None
    if leaf == "codebook":
        indices = graph.tensor(f"{stem}.indices")
        packed = codes.encode_codebook(tensor.numpy(), indices.numpy())
        arrays[key] = np.frombuffer(packed.payload, np.uint8)
        return [key, "codebook", int(trainable), dict(packed.meta), str(indices.dtype).removeprefix("torch.")]
    quantiser = _channel_quantiser(graph, name)
    if quantiser is not None:
        scale = graph.tensor(str(quantiser.args[1].target)).numpy()  # type: ignore[union-attr]
        view = (-1, *[1] * (tensor.dim() - 1))
        steps = np.clip(np.rint(tensor.numpy() / scale.reshape(view)), -127, 127).astype(np.int8)
        packed = codes.encode_int8(steps, scale.astype(np.float32))
        arrays[key] = np.frombuffer(packed.payload, np.uint8)
        return [key, "int8", int(trainable), dict(packed.meta)]
    arrays[key] = np.ascontiguousarray(tensor.numpy())
    return [key, "raw", int(trainable)]


def _channel_quantiser(graph: Graph, name: str) -> fx.Node | None:
    """The per-channel 8-bit quantiser that is the only reader of a tensor, if there is one."""
    readers = [u for n in graph.nodes if n.op == "get_attr" and str(n.target) == name for u in n.users]
    if len(readers) != 1 or kind_of(readers[0].target) != "quantize" or len(readers[0].args) != 6:
        return None
    node = readers[0]
    if tuple(node.args[3:]) != (0, -127, 127) or str(node.args[0].target) != name:  # type: ignore[union-attr]
        return None
    return node


def read(path: Path | str) -> Graph:
    """The graph in a `.fwm` file.

    Raises:
        BadFile: it is not a `.fwm` file, is damaged, or asks for something that isn't allowed.
    """
    path = Path(path)
    if not path.is_file():
        raise BadFile(f"there is no file {path}")
    return from_bytes(path.read_bytes(), path.name)


def from_bytes(data: bytes, name: str = "the file") -> Graph:
    """The graph in the bytes of a `.fwm` file; `name` is what messages call it. Raises BadFile."""
    try:
        document, arrays = members(data)
        return _build(document, arrays)
    except BadFile as error:
        raise BadFile(f"{name}: {error}") from error
    except MemoryError as error:
        raise BadFile(f"{name} takes more memory than there is") from error
    except Exception as error:  # what an odd file breaks further down is one more way to be damaged
        raise BadFile(f"{name} is damaged: {type(error).__name__}: {str(error)[:200]}") from error


def _build(document: dict[str, Any], arrays: dict[str, Any]) -> Graph:
    inputs = tuple(_input(row) for row in document["inputs"][: nodes_json.MAX_INPUTS + 1])
    if len(inputs) > nodes_json.MAX_INPUTS:
        raise BadFile(f"has more than {nodes_json.MAX_INPUTS} inputs")
    graph = Graph(empty_module(), inputs, tuple(words(document["outputs"], list)))
    names: set[str] = set()
    for name, entry in document["tensors"].items():
        if not PATH.fullmatch(name):
            raise BadFile(f"a tensor has the name {name[:80]!r}, which is not a plain dotted name")
        names |= _load_tensor(graph, name, entry, arrays)
    fx_graph = nodes_json.from_json(document["nodes"], names)
    if [n.name for n in fx_graph.nodes if n.op == "placeholder"] != [s.name for s in inputs]:
        raise BadFile("its inputs and its placeholder nodes differ")
    graph.sites = dict(zip(words(document["sites"], dict), words(list(document["sites"].values()), list)))
    graph.rates = {k: float(document["rates"][k]) for k in words(document["rates"], dict)}
    graph.module.graph = fx_graph
    graph.module.graph.lint()
    graph.module.recompile()
    _check_int8(graph, document)
    return graph


def _input(row: Any) -> InputSpec:
    name, shape, dtype, values = row
    if not nodes_json.NAME.fullmatch(name) or dtype not in nodes_json.DTYPES or len(shape) > 8:
        raise BadFile(f"input {str(name)[:60]!r} is not a plain name with a known type and at most 8 axes")
    if (
        not all(isinstance(s, int) and 0 < s <= 1 << 24 for s in shape)
        or int(np.prod([1, *shape], dtype=float)) > 1 << 30
    ):
        raise BadFile(f"input {name} has the shape {shape}, which is not possible")
    return InputSpec(name, tuple(shape), dtype, int(values))


def _load_tensor(graph: Graph, name: str, entry: Any, arrays: dict[str, Any]) -> set[str]:
    key, code, trainable = entry[:3]
    array = arrays[key]
    if code == "raw":
        value = torch.from_numpy(np.array(array))
        graph.set_tensor(name, value, bool(trainable) and value.is_floating_point())
        return {name}
    decoded = codes.decode(Packed(entry[3], array.tobytes()))
    if not isinstance(decoded, tuple):
        raise BadFile(f"tensor {name} is not stored as {code}")
    if code == "codebook":
        stem = name.rpartition(".")[0]
        if entry[4] not in ("int64", "int32", "uint8"):
            raise BadFile(f"tensor {name} has indices of type {str(entry[4])[:40]}")
        graph.set_tensor(name, torch.from_numpy(np.array(decoded[0])), True)
        graph.set_tensor(f"{stem}.indices", torch.from_numpy(decoded[1].astype(entry[4])), False)
        return {name, f"{stem}.indices"}
    if code != "int8":
        raise BadFile(f"tensor {name} is stored as {str(code)[:40]!r}, which is not known")
    steps, scale = decoded
    view = (-1, *[1] * (steps.ndim - 1))
    weight = steps.astype(np.float32) * scale.reshape(view).astype(np.float32)
    graph.set_tensor(name, torch.from_numpy(weight), bool(trainable))
    return {name}


def _check_int8(graph: Graph, document: dict[str, Any]) -> None:
    """Every weight that is stored as codes must be read by its quantiser."""
    for name, entry in document["tensors"].items():
        if entry[1] == "int8" and _channel_quantiser(graph, name) is None:
            raise BadFile(f"tensor {name} is stored as 8-bit codes, but no quantiser reads it")

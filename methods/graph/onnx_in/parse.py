"""From bytes to a model whose sizes are known to be sane: caps first, nothing outside the bytes is ever read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import inliner

from methods.graph.nodes_json import BadFile
from methods.graph.onnx_in.tensors import check_inside

MAX_BYTES = 2 << 30
MAX_NODES = 20_000
MAX_TENSORS = 100_000
MAX_DEPTH = 8
OLDEST, NEWEST = 9, 24
"""Operator sets that are understood."""


def parse(path: Path) -> tuple[Any, bytes]:
    """The model in a file, functions written out, and the bytes. Raises BadFile."""
    size = path.stat().st_size
    if not 0 < size <= MAX_BYTES:
        raise BadFile("is empty" if not size else f"has {size} bytes, and at most {MAX_BYTES} are read")
    data = path.read_bytes()
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise BadFile(f"is not an ONNX file, or is damaged ({str(error)[:120]})") from error
    if not model.HasField("graph") or not model.graph.node:
        raise BadFile("holds no ONNX graph")
    check(model)
    return _without_functions(model), data


def check(model: Any) -> None:
    """Counts nodes and nesting and looks at every tensor before anything is built. Raises BadFile."""
    if model.training_info:
        raise BadFile("holds training graphs; save the inference graph alone (del model.training_info[:])")
    tensors = 0
    bodies = [(model.graph, 0), *((function, 0) for function in model.functions)]
    nodes = 0
    while bodies:
        body, depth = bodies.pop()
        nodes += len(body.node)
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            raise BadFile(f"has more than {MAX_NODES} nodes or graphs nested deeper than {MAX_DEPTH}")
        for name, tensor in _tensors(body):
            tensors += 1
            check_inside(tensor, name)
            if tensors > MAX_TENSORS:
                raise BadFile(f"has more than {MAX_TENSORS} tensors")
        bodies += [(inner, depth + 1) for node in body.node for inner in graphs_of(node)]


def graphs_of(node: Any) -> Iterator[Any]:
    """The graphs inside a node (If, Loop, Scan)."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _tensors(body: Any) -> Iterator[tuple[str, Any]]:
    for tensor in getattr(body, "initializer", ()):
        yield tensor.name[:120], tensor
    for sparse in getattr(body, "sparse_initializer", ()):
        raise BadFile(f"tensor {sparse.values.name[:120]!r} is sparse, which is not supported; save it dense")
    for node in body.node:
        for attribute in node.attribute:
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
                raise BadFile(f"node {node.name[:120]!r} holds a sparse tensor; save it dense")
            for tensor in [attribute.t] * attribute.HasField("t") + list(attribute.tensors):
                yield (node.name or node.op_type)[:120], tensor


def _without_functions(model: Any) -> Any:
    """The model with its own functions written out in place."""
    if not model.functions:
        return model
    if _expanded(model) > MAX_NODES:
        raise BadFile(f"its functions grow to more than {MAX_NODES} nodes when they are written out")
    try:
        found = inliner.inline_local_functions(model)
    except Exception as error:
        raise BadFile(
            f"its functions can't be written out ({str(error)[:120]}); export without them, or inline them with "
            "onnx.inliner.inline_local_functions"
        ) from error
    if found.functions:
        raise BadFile(f"its function {found.functions[0].name[:60]!r} can't be written out; export without functions")
    check(found)
    return found


def _expanded(model: Any) -> int:
    """How many nodes there are once every function call is replaced by the function's nodes."""
    bodies = {(f.domain, f.name): f for f in model.functions}
    counts: dict[tuple[str, str], int] = {}
    for _ in range(len(bodies) + 1):
        left = [key for key in bodies if key not in counts]
        for key in left:
            calls = [(n.domain, n.op_type) for n in nodes_of(bodies[key])]
            if all(c not in bodies or c in counts for c in calls):
                counts[key] = sum(counts.get(c, 1) for c in calls)
        if not left:
            return sum(counts.get((n.domain, n.op_type), 1) for n in nodes_of(model.graph))
    raise BadFile("has functions that call each other in a circle")


def nodes_of(body: Any) -> Iterator[Any]:
    """All nodes of a graph or function, those of inner graphs included."""
    waiting = [body]
    while waiting:
        current = waiting.pop()
        for node in current.node:
            yield node
            waiting.extend(graphs_of(node))


def opset(model: Any) -> int:
    """The operator set of the plain domain. Raises BadFile for one that is not understood."""
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if not versions:
        raise BadFile("does not say which ONNX operator set it uses; export it again with opset_version=17")
    version = int(versions[0])
    if not OLDEST <= version <= NEWEST:
        raise BadFile(
            f"uses ONNX operator set {version}; {OLDEST} to {NEWEST} are read. Convert it: "
            "onnx.version_converter.convert_version(model, 17)"
        )
    return version

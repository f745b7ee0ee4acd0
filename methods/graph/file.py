"""`.fwm`, our own model file: a zip of `graph.json` and `weights.bin`. Reading it runs nothing.

Every weight is stored in the form that takes the fewest bytes (`methods/storage`), so the size of this file is what a
size budget is about.
"""

from __future__ import annotations

import io
import json
import os
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from methods.graph import file_table, nodes_json
from methods.graph.file_members import FORMAT, GRAPH, WEIGHTS, members, words
from methods.graph.ir import Graph, GraphError, InputSpec, empty_module
from methods.graph.nodes_json import BadFile
from methods.graph.surgery.settle import settled
from methods.storage.pool import joined

PATTERN = re.compile(
    r"|[1-9]\d?:[1-9]\d?|block:[1-9]\d{0,5}x[1-9]\d{0,5}|row|column|kernel|(strided|pattern):[1-9]\d?(\+kernel)?"
)
"""What `Graph.patterns` may say; plans compute with it."""
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
    """The file's content: the same bytes for the same graph. What training left behind is settled first."""
    graph = settled(graph)
    entries, pieces = file_table.written(graph)
    document = {
        "format": FORMAT,
        "inputs": [[s.name, list(s.shape), s.dtype, s.values] for s in graph.inputs],
        "outputs": list(graph.output_names),
        "sites": graph.sites,
        "rates": graph.rates,
        "nodes": nodes_json.to_json(graph.module.graph),
        "tensors": entries,
    }
    patterns = {name: pattern for name, pattern in graph.patterns.items() if pattern}
    document |= {"patterns": patterns} if patterns else {}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        text = json.dumps(document, separators=(",", ":"))
        archive.writestr(zipfile.ZipInfo(GRAPH, EPOCH), text, zipfile.ZIP_DEFLATED, 9)
        archive.writestr(zipfile.ZipInfo(WEIGHTS, EPOCH), joined(pieces), zipfile.ZIP_STORED)
    return buffer.getvalue()


def packed_bytes(graph: Graph) -> int:
    """Bytes that the graph takes as a file."""
    return len(to_bytes(graph))


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
        return _build(*members(data))
    except GraphError as error:
        raise BadFile(f"{name}: {error}") from error
    except MemoryError as error:
        raise BadFile(f"{name} takes more memory than there is") from error
    except Exception as error:  # what an odd file breaks further down is one more way to be damaged
        raise BadFile(f"{name} is damaged: {type(error).__name__}: {str(error)[:200]}") from error


def _build(document: dict[str, Any], blob: bytes) -> Graph:
    inputs = tuple(_input(row) for row in document["inputs"][: nodes_json.MAX_INPUTS + 1])
    if len(inputs) > nodes_json.MAX_INPUTS:
        raise BadFile(f"has more than {nodes_json.MAX_INPUTS} inputs")
    graph = Graph(empty_module(), inputs, tuple(words(document["outputs"], list)))
    names = file_table.read(graph, document["tensors"], blob)
    fx_graph = nodes_json.from_json(document["nodes"], names)
    if [n.name for n in fx_graph.nodes if n.op == "placeholder"] != [s.name for s in inputs]:
        raise BadFile("its inputs and its placeholder nodes differ")
    graph.sites = dict(zip(words(document["sites"], dict), words(list(document["sites"].values()), list)))
    graph.rates = {k: float(document["rates"][k]) for k in words(document["rates"], dict)}
    graph.patterns = _patterns(document.get("patterns", {}))
    graph.module.graph = fx_graph
    graph.module.graph.lint()
    graph.module.recompile()
    return graph


def _patterns(table: Any) -> dict[str, str]:
    """The rules that masks follow, by parameter."""
    patterns = dict(zip(words(table, dict), words(list(table.values()), list)))
    odd = [pattern for pattern in patterns.values() if not PATTERN.fullmatch(pattern)]
    if odd:
        raise BadFile(f"a mask follows the rule {odd[0][:60]!r}, which is none")
    return patterns


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

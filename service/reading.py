"""Reads models and data that anybody may have sent, in a process of its own: little of anything, nothing to steal."""

from __future__ import annotations

import json
import logging
import math
import os
import tempfile
import threading
from pathlib import Path

from db.base import Json
from methods.graph import file
from methods.graph.ir import Graph, GraphError
from methods.graph.load import load_graph
from search.data import DataError, Dataset, load_dataset
from service import child
from service.child import MODEL, REPLY

READ_S = 50.0
"""Longest that one file is read, by the clock: whoever sent it has a verdict within a minute."""
MEMORY_BYTES = 6 * 2**30
REPLY_BYTES = 1 << 18
SPARE_BYTES = 256 << 20
"""A model may be written this much larger than four times the file that it came in."""
TOGETHER = threading.BoundedSemaphore(max(2, (os.cpu_count() or 2) // 2))
"""As many are read at one time; the memory of the machine is what this is about."""

log = logging.getLogger(__name__)


class UnreadableModel(GraphError):
    """A model file could not be read within the limits that a model is read in."""


def read_model(path: Path, target: Path) -> Json:
    """Reads and checks a model, writes it to `target` as `.fwm`, returns its facts. Raises GraphError."""
    graph = load_graph(path)
    try:
        graph.check()
    except GraphError as error:
        raise UnreadableModel(f"{path.name}: {error}") from error
    file.write(graph, target)
    return facts_of(graph)


def read_data(path: Path) -> Json:
    """Reads and checks a data set; returns its facts. Raises DataError."""
    return data_facts(load_dataset(path))


def read_confined(path: Path, target: Path) -> Json:
    """`read_model` in a child process with limits; `target` is there whole or not at all. Raises GraphError."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="reading-") as scratch:
        facts = _confined("model", path, Path(scratch), UnreadableModel)
        written = Path(scratch) / MODEL
        if written.is_symlink() or not written.is_file():
            raise UnreadableModel(f"{path.name} can't be read")
        os.replace(written, target)
    return facts


def read_data_confined(path: Path) -> Json:
    """`read_data` in a child process with limits. Raises DataError."""
    with tempfile.TemporaryDirectory(prefix="reading-") as scratch:
        return _confined("data", path, Path(scratch), DataError)


def facts_of(graph: Graph) -> Json:
    """What is shown of a model: its inputs and the number of its parameters."""
    inputs = [{"name": spec.name, "shape": list(spec.shape), "dtype": spec.dtype} for spec in graph.inputs]
    return {"inputs": inputs, "parameters": graph.parameter_count}


def data_facts(data: Dataset) -> Json:
    """What is shown of a data set."""
    return {
        "samples": len(data),
        "test_samples": len(data.test) if data.test is not None else 0,
        "shapes": [list(shape) for shape in data.sample_shapes],
        "labelled": data.labels is not None,
        "classes": list(data.classes),
    }


def _confined(kind: str, path: Path, scratch: Path, refusal: type[Exception]) -> Json:
    """Has the file read by `service.reader`; its facts. Raises `refusal` with the reason."""
    scratch, path = scratch.resolve(), path.resolve()
    job = {"kind": kind, "path": str(path), "scratch": str(scratch), "memory_bytes": MEMORY_BYTES}
    job |= {"cpu_s": math.ceil(READ_S), "file_bytes": 4 * path.stat().st_size + SPARE_BYTES}
    with TOGETHER:
        ended = child.run("service.reader", [json.dumps(job)], scratch, READ_S)
    if ended.late:
        raise refusal(f"{path.name} takes more than {READ_S:g} s to read and check; send a smaller one")
    reply = child.read_object(scratch / REPLY, REPLY_BYTES)
    if reply is None:
        log.warning("reading %s ended with %d: %s", path.name, ended.status, ended.output[-2000:])
        limits = f"{MEMORY_BYTES // 2**30} GiB and {READ_S:g} s"
        raise refusal(f"{path.name} can't be read within {limits}; make it again, or send a smaller one")
    log.info("read %s, confined by %s", path.name, ", ".join(map(str, reply.get("confined", []))))
    if not isinstance(reply.get("facts"), dict):
        raise refusal(str(reply.get("error", f"{path.name} can't be read")))
    return dict(reply["facts"])

"""Reads a model that anybody may have sent, in a process of its own: little memory, little time, nothing to steal."""

from __future__ import annotations

import json
import logging
import os
import resource
import subprocess
import sys
from pathlib import Path

from db.base import Json
from methods.graph import file
from methods.graph.ir import Graph, GraphError
from methods.graph.load import load_graph
from service.errors import is_told

READ_S = 120
MEMORY_BYTES = 6 * 2**30
KEPT = ("PATH", "HOME", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
"""All of the environment that the child is given: no passwords, no settings."""

log = logging.getLogger(__name__)


class UnreadableModel(GraphError):
    """A model file could not be read within the limits that a model is read in."""


def read_model(path: Path, target: Path) -> Json:
    """Reads and checks a model, writes it to `target` as `.fwm`, returns its facts. Raises GraphError."""
    graph = load_graph(path)
    graph.check()
    file.write(graph, target)
    return facts_of(graph)


def read_confined(path: Path, target: Path) -> Json:
    """The same in a child process with limits on memory and time. Raises GraphError."""
    command = [sys.executable, "-m", "service.reading", str(path), str(target)]
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {"OMP_NUM_THREADS": "1"}
    try:
        child = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=READ_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableModel(f"{path.name} takes more than {READ_S} s to read and run once") from error
    try:
        reply: Json = json.loads(child.stdout)
    except ValueError as error:
        log.warning("reading %s ended with %d: %s", path.name, child.returncode, child.stderr.decode()[-2000:])
        limits = f"{MEMORY_BYTES // 2**30} GiB and {READ_S} s"
        raise UnreadableModel(
            f"{path.name} can't be read and run once within {limits}; capture it again, or send a smaller one"
        ) from error
    if "error" in reply:
        raise UnreadableModel(reply["error"])
    return reply


def facts_of(graph: Graph) -> Json:
    """What is shown of a model: its inputs and the number of its parameters."""
    inputs = [{"name": spec.name, "shape": list(spec.shape), "dtype": spec.dtype} for spec in graph.inputs]
    return {"inputs": inputs, "parameters": graph.parameter_count}


def _confine() -> None:
    """Limits that this process can't lift again."""
    for kind, limit in (
        (resource.RLIMIT_DATA, MEMORY_BYTES),
        (resource.RLIMIT_CPU, READ_S),
        (resource.RLIMIT_FSIZE, MEMORY_BYTES),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (limit, limit))


def main() -> None:
    """`python -m service.reading MODEL TARGET`: the facts, or what is wrong, as JSON."""
    _confine()
    try:
        reply = read_model(Path(sys.argv[1]), Path(sys.argv[2]))
    except Exception as error:
        if not is_told(error):
            raise
        reply = {"error": str(error)}
    print(json.dumps(reply))


if __name__ == "__main__":
    main()

"""What onnxruntime makes of a program, asked in this process."""

from __future__ import annotations

from collections.abc import Collection

from hwmodels.profilers.channel import Reply
from hwmodels.profilers.nodes import runtime_nodes
from hwmodels.profilers.runtime_node import RuntimeNode
from hwmodels.profilers.runtimes import onnxruntime


def nodes_of(program: bytes, batch: int = 1, threads: int = 1, known: Collection[str] = ()) -> list[RuntimeNode]:
    """What onnxruntime makes of a program, asked in this process."""

    def look(what: str, of: bytes) -> Reply:
        return onnxruntime.look({"what": what, "batch": batch, "threads": threads}, [of])

    return runtime_nodes(program, look, threads, known)

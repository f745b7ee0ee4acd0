"""The `litert` profiler: times networks and single operators through LiteRT's interpreter and XNNPACK on a CPU.

Networks come as ONNX and are written as tflite here; the measuring process needs nothing but the runtime.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from hwmodels.base import Measurement
from hwmodels.device import Device
from hwmodels.profilers.empty import CHAIN, call_overhead
from hwmodels.profilers.runtime_node import RuntimeNode
from hwmodels.profilers.tflite.convert import convert
from hwmodels.profilers.tflite.model import Model, Operator, Tensor, constant
from hwmodels.profilers.tflite.nodes import TfliteNode, runtime_nodes
from hwmodels.profilers.tflite.pack import pack
from hwmodels.profilers.timed_nodes import TimedNodes

TOGETHER = 128
"""Single operators that are timed interleaved at once."""
MOST_BYTES = 1 << 29
"""Of weights, all copies counted, that are held open at once."""

CALLS = ["an empty call", "a chain of tiny operators"]

FILE = "model.tflite"
"""Name of the file that is handed over beside a result."""


class LiteRtProfiler(TimedNodes):
    """LiteRT on the CPU with the device's batch and threads."""

    name = "litert"

    def _alone(self, nodes: Sequence[RuntimeNode], device: Device, **more: Any) -> list[Measurement]:
        found: list[Measurement] = []
        for part in _parts(nodes):
            labels = [*(node.signature for node in part), *CALLS]
            models = [*(node.model for node in part), tiny(1), tiny(CHAIN)]
            *times, one, chain = self._times(models, device, effort="nodes", labels=labels, **more)
            found += [_each(node, time, call_overhead(one, chain).latency_s) for node, time in zip(part, times)]
        return found

    def measure_itself(self, device: Device) -> Measurement:
        """What one call costs before any operator runs."""
        chains = [tiny(1), tiny(CHAIN)]
        one, chain = self._times(chains, device, effort="itself", labels=CALLS)
        return call_overhead(one, chain)

    def nodes(self, program: bytes, device: Device, known: Collection[str] = ()) -> list[RuntimeNode]:
        """The operators that LiteRT executes for an ONNX network; those with a key in `known` without their model.

        Raises UnsupportedOp, naming the operator, for what can't be written as tflite.
        """
        return list(runtime_nodes(convert(program, device.batch), f"threads={device.threads}", known))

    def artefacts(self, program: bytes, device: Device) -> dict[str, bytes]:
        """The files that carry an ONNX network to the device, by name. Raises UnsupportedOp."""
        return {FILE: pack(convert(program, device.batch))}

    def _networks(self, programs: list[bytes], device: Device, **more: Any) -> list[Measurement]:
        written = [pack(convert(program, device.batch)) for program in programs]
        return super()._networks(written, device, **more)


def _parts(nodes: Sequence[RuntimeNode]) -> Iterator[list[RuntimeNode]]:
    """The nodes in rows that one request may hold."""
    part: list[RuntimeNode] = []
    held = 0
    for node in nodes:
        size = len(node.model) * (node.copies if isinstance(node, TfliteNode) else 1)
        if part and (len(part) == TOGETHER or held + size > MOST_BYTES):
            yield part
            part, held = [], 0
        part.append(node)
        held += size
    if part:
        yield part


def _each(node: RuntimeNode, time: Measurement, call_s: float) -> Measurement:
    """One of the copies that a node was timed as, with one call."""
    copies = node.copies if isinstance(node, TfliteNode) else 1
    if copies == 1:
        return time
    one, tenth, half = (call_s + max(0.0, s - call_s) / copies for s in (time.latency_s, time.p10_s, time.median_s))
    return replace(time, latency_s=one, p10_s=tenth, median_s=half)


def tiny(count: int) -> bytes:
    """`count` sums of two numbers in a row, as tflite: the least that the delegate takes."""
    tensors = [Tensor(f"x{n}", (1,)) for n in range(count + 1)]
    one = constant("one", np.ones(1, np.float32))
    operators = tuple(Operator("ADD", (given, one), (made,)) for given, made in pairwise(tensors))
    return pack(Model(operators, (tensors[0],), (tensors[-1],)))

"""The `openvino` profiler: times networks on a CPU, and the nodes of the graph that OpenVINO compiles them to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from hwmodels.base import Measurement
from hwmodels.device import Device
from hwmodels.profilers.empty import CHAIN, call_overhead
from hwmodels.profilers.openvino_cut import primer
from hwmodels.profilers.openvino_pieces import Piece, pieces
from hwmodels.profilers.runtime_node import RuntimeNode
from hwmodels.profilers.timed_nodes import TimedNodes

TOGETHER = 40
"""Pieces that are timed interleaved at once: each holds one or two compiled programs and their weights open."""
OFTEN = 3
"""How many times at most a frame is timed that several pieces share: its error would be in all of them."""
LEAST = 0.05
"""Share of a call's cost that a row is never below: noise can make a node that does next to nothing look negative."""


class OpenVinoProfiler(TimedNodes):
    """OpenVINO on the CPU with the device's batch, threads and precision; where that is empty, its own default."""

    name = "openvino"

    def _alone(self, nodes: Sequence[RuntimeNode], device: Device, **more: Any) -> list[Measurement]:
        """Pieces, each with the cost of one call."""
        found: list[Measurement] = []
        own = [node for node in nodes if isinstance(node, Piece)]
        for start in range(0, len(own), TOGETHER):
            found += self._pieces(own[start : start + TOGETHER], device, **more)
        return found

    def measure_itself(self, device: Device) -> Measurement:
        """What one call costs before any node runs."""
        programs, labels = [primer(1), primer(CHAIN)], ["a tiny node", "a chain of tiny nodes"]
        one, chain = self._times(programs, device, effort="itself", labels=labels)
        return call_overhead(one, chain)

    def nodes(self, program: bytes, device: Device, known: Collection[str] = ()) -> list[RuntimeNode]:
        """What OpenVINO executes for a network, in order; those with a key in `known` come without their model.

        Raises UnsupportedOp for control flow.
        """
        told, _ = self._ask("look", device, [program])
        return list(pieces(program, told["programs"][0], f"threads={device.threads}", known))

    def _pieces(self, nodes: Sequence[Piece], device: Device, **more: Any) -> list[Measurement]:
        """Pieces and their frames, timed together; the least of a frame's times counts."""
        counts = Counter(piece.frame for piece in nodes)
        frames = [frame for frame, count in counts.items() for _ in range(min(count, OFTEN))]
        labels = [node.signature for node in nodes] + ["a piece's frame"] * len(frames) + ["a tiny node"] * 2
        programs = [*(node.model for node in nodes), *frames, primer(1), primer(CHAIN)]
        times = self._times(programs, device, effort="nodes", labels=labels, **more)
        tiny_s = (times[-1].latency_s - times[-2].latency_s) / (CHAIN - 1)
        call_s = self.call_s or call_overhead(*times[-2:]).latency_s
        slowest_first = sorted(zip(frames, times[len(nodes) :]), key=lambda pair: -pair[1].latency_s)
        best = dict(slowest_first)
        return [_less(time, best[of.frame], call_s, tiny_s * of.spare) for time, of in zip(times, nodes)]


def _less(whole: Measurement, frame: Measurement, call_s: float, spare_s: float) -> Measurement:
    """A piece without its frame, and with one call; errors of both are in its own.

    `spare_s` is what the frame does beyond that.
    """
    off = frame.latency_s - spare_s - call_s
    least = max(LEAST * call_s, whole.latency_s - off)
    error = whole.latency_s * whole.disagreement + frame.latency_s * frame.disagreement
    p10, median = (least + (time - whole.latency_s) for time in (whole.p10_s, whole.median_s))  # not below by rounding
    return replace(whole, latency_s=least, p10_s=p10, median_s=median, disagreement=error / least)

"""A joint recipe (half of the channels, the rest in int8) beside its two parts, latencies interleaved in one request.

Where networks are narrow, int8 operators cost more to enter and leave than they save, so the widths are shown: the
ResNet-20 of half the usual width, of the usual one, of twice that. Speed doesn't depend on what weights are; a shorter
network of the greatest width is trained as well, so that there are accuracies beside latencies.

python -m benchmarks.forms --network joint
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from examples.networks import residual_fashion
from examples.train import train
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.profilers.onnxruntime import OnnxRuntimeProfiler
from methods.base import Data
from methods.catalogue import METHODS
from methods.graph.coupling.trace import couple
from methods.graph.file import packed_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.observe import outputs
from methods.graph.onnx_out.export import export
from methods.recovery.fine_tuning import FineTuning
from search.data import load_dataset
from search.splits import Splits, split

SHAPES = ((8, 3), (16, 3), (32, 3), (32, 1))
"""Width and blocks a stage."""
TRAINED = (32, 1)
SAMPLES = 1500
"""Images for one epoch of recovery."""


@dataclass(frozen=True)
class JointRow:
    """One recipe of one network: bytes, microseconds, what that is of the untouched one's; accuracy where trained."""

    network: str
    recipe: str
    file_bytes: int
    latency_us: float
    ratio: float
    accuracy: float | None


def main() -> list[JointRow]:
    """Prints and returns the rows of every width."""
    parts, found = split(load_dataset("fashion-mnist"), 0), []
    print(f"{'network':22} {'recipe':14} {'bytes':>10} {'us':>8} {'latency':>8} {'accuracy':>9}")
    for width, blocks in SHAPES:
        for row in rows_of(width, blocks, parts):
            accuracy = "" if row.accuracy is None else f"{row.accuracy:9.2%}"
            sizes = f"{row.file_bytes:10,} {row.latency_us:8.1f} {row.ratio:8.3f}"
            print(f"{row.network:22} {row.recipe:14} {sizes} {accuracy}", flush=True)
            found.append(row)
    return found


def rows_of(width: int, blocks: int, parts: Splits) -> list[JointRow]:
    """The untouched network, its two parts, and the joint recipe."""
    torch.manual_seed(0)
    model, learn = residual_fashion(width, blocks), (width, blocks) == TRAINED
    whole = capture(
        train(model, parts.train, 2, learning_rate=4e-3) if learn else model.eval(), parts.train.inputs[0][:2]
    )
    graphs = recipes(whole, parts.train.head(SAMPLES), learn)
    profiler = OnnxRuntimeProfiler()
    try:
        times = [m.latency_s for m in profiler.measure([export(g) for g in graphs.values()], LOCAL_ONNXRUNTIME)]
    finally:
        profiler.close()
    scores = [share(graph, parts.report) if learn else None for graph in graphs.values()]
    sizes, name = map(packed_bytes, graphs.values()), f"width {width}, {3 * blocks} blocks"
    rows = zip(graphs, sizes, times, scores, strict=True)
    return [JointRow(name, recipe, size, 1e6 * t, t / times[0], score) for recipe, size, t, score in rows]


def recipes(whole: Graph, data: Data, learn: bool) -> dict[str, Graph]:
    """By name; trained with the untouched network as teacher where wanted."""
    tuning = FineTuning(epochs=1 if learn else 0)
    half = METHODS["channel-pruning"].apply(whole, dict.fromkeys(couple(whole).groups, 0.5), data)
    half = tuning.recover(half, whole, data, 0)
    return {"untouched": whole, "channels 50 %": half, "int8": int8(whole, data), "both": int8(half, data)}


def int8(graph: Graph, data: Data) -> Graph:
    """Calibrated, not trained: what int8 loses at this width is little."""
    return METHODS["quantization"].apply(graph, {use.site: "int8" for use in graph.weight_uses()}, data)


def share(graph: Graph, data: Data) -> float:
    """Of right answers."""
    assert data.labels is not None
    return float((outputs(graph, data.inputs)[0].argmax(1) == data.labels).float().mean())


if __name__ == "__main__":
    main()

"""Factorisations of a residual network's convolutions: what each loses, saves, and gains in measured time.

python -m benchmarks.factors

A network shaped like a small ResNet learns Fashion-MNIST (MNIST where that isn't installed) at 14 x 14 pixels. Every
3x3 convolution but the first is factorised. Printed per factorisation: the relative error of the outputs, accuracy
right after, after least squares on the last layers of the rows, and after one epoch more with the untouched network
as teacher; packed bytes, multiply-accumulates and onnxruntime's latency as ratios of the untouched network. Then the
Tucker decomposition against tensorly's at equal ranks, where that is installed (pip install tensorly).
"""

from __future__ import annotations

import importlib.util
import time

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from benchmarks.fashion import pictures
from examples.networks import ResidualDigits
from examples.train import train
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.profilers.onnxruntime import OnnxRuntimeProfiler
from methods.base import Data, Value
from methods.depthwise_separable import DepthwiseSeparable
from methods.factorisation import Factorisation
from methods.graph.file import packed_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.observe import outputs
from methods.graph.onnx_out.export import export
from methods.low_rank import LowRank
from methods.numerics.lowrank import Floats
from methods.numerics.tucker import tucker2, vbmf_ranks
from methods.recovery.fine_tuning import FineTuning
from methods.recovery.least_squares import LeastSquares
from methods.separable import Separable
from methods.tucker import Tucker2

TRAIN, TEST = 5000, 1500
ROWS: tuple[tuple[Factorisation, Value], ...] = (
    (LowRank(samples=0), 0.375),
    (LowRank(), 0.375),
    (LowRank(), "energy:0.9"),
    (Separable(), 0.25),
    (Tucker2(), 0.5),
    (Tucker2(), "vbmf"),
    (DepthwiseSeparable(samples=0), "replace"),
    (DepthwiseSeparable(), "replace"),
)


def network() -> nn.Module:
    """Three residual blocks of 32, 64 and 128 channels: 0.3 million weights, 10 million multiply-accumulates."""
    return ResidualDigits(width=32, blocks=1)


def main() -> None:
    """Trains, factorises and prints."""
    torch.set_num_threads(1)
    start = time.monotonic()
    name, data, test = pictures(TRAIN, TEST)
    data, test = smaller(data), smaller(test)
    torch.manual_seed(0)
    graph = capture(train(network(), data, epochs=3), data.inputs[0][:1])
    whole = share(outputs(graph, test.inputs)[0], test)
    print(f"{name}: {whole:.2%} of {len(test)} right, {packed_bytes(graph)} bytes, {time.monotonic() - start:.0f} s")
    made = {label(m, value): m.apply(graph, chosen(graph, value), data) for m, value in ROWS}
    times = latencies([graph, *made.values()])
    columns = ("error", "after", "solved", "trained", "bytes", "MACs", "time")
    print(f"{'factorisation':34} " + " ".join(f"{column:>7}" for column in columns))
    for (title, rows), latency in zip(made.items(), times[1:], strict=True):
        print(f"{title:34} {line(graph, rows, data, test, latency / times[0])}", flush=True)
    rival(graph)
    print(f"{time.monotonic() - start:.0f} s in all")


def smaller(data: Data) -> Data:
    """At half the size each way."""
    return Data((avg_pool2d(data.inputs[0], 2),), data.labels)


def label(method: Factorisation, value: Value) -> str:
    """Method, value, and whether it looks at samples."""
    watched = getattr(method, "samples", None)
    return f"{method.name} {value}" + ("" if watched is None else ", by samples" if watched else ", by weights")


def chosen(graph: Graph, value: Value) -> dict[str, Value]:
    """The same value for all 3x3 convolutions but the first."""
    uses = [use for use in graph.weight_uses() if tuple(graph.tensor(use.weight).shape[2:]) == (3, 3)]
    return {use.site: value for use in uses[1:]}


def line(graph: Graph, rows: Graph, data: Data, test: Data, latency: float) -> str:
    """One row of the table."""
    solved = LeastSquares(samples=256).recover(rows, graph, data, 0)
    trained = FineTuning(epochs=1).recover(solved, graph, data, 0)
    wanted, *made = (outputs(each, test.inputs)[0] for each in (graph, rows, solved, trained))
    error = float((made[0] - wanted).norm() / wanted.norm())
    scores = " ".join(f"{share(values, test):7.2%}" for values in made)
    size, macs = packed_bytes(rows) / packed_bytes(graph), lower(rows).macs / lower(graph).macs
    return f"{error:7.3f} {scores} {size:7.3f} {macs:7.3f} {latency:7.3f}"


def share(values: Tensor, data: Data) -> float:
    """The share of right answers."""
    return float((values.argmax(1) == data.labels).float().mean())


def latencies(graphs: list[Graph]) -> list[float]:
    """Seconds a sample in onnxruntime, all interleaved."""
    profiler = OnnxRuntimeProfiler()
    try:
        return [m.latency_s for m in profiler.measure([export(graph) for graph in graphs], LOCAL_ONNXRUNTIME)]
    finally:
        profiler.close()


def rival(graph: Graph) -> None:
    """Errors and times of the Tucker decomposition beside tensorly's, at the ranks that variational Bayes finds."""
    if importlib.util.find_spec("tensorly") is None:
        print("tensorly isn't installed: pip install tensorly to see its Tucker decomposition beside this one")
        return
    print(f"{'weight':28} {'ranks':>9} {'error':>8} {'tensorly':>8} {'ms':>6} {'tensorly':>8}")
    for use in graph.weight_uses():
        weight = graph.tensor(use.weight).detach().numpy()
        if weight.shape[2:] == (3, 3) and weight.shape[1] > 1:
            r_in, r_out = vbmf_ranks(weight)
            (own, mine), (error, theirs) = timed_own(weight, r_in, r_out), timed_tensorly(weight, r_in, r_out)
            print(f"{use.weight:28} {r_in:4},{r_out:4} {own:8.5f} {error:8.5f} {mine:6.1f} {theirs:8.1f}")


def timed_own(weight: Floats, r_in: int, r_out: int) -> tuple[float, float]:
    """Relative error, and milliseconds."""
    start = time.perf_counter()
    made = tucker2(weight, r_in, r_out)
    return made.error, 1e3 * (time.perf_counter() - start)


def timed_tensorly(weight: Floats, r_in: int, r_out: int) -> tuple[float, float]:
    """The same of tensorly's partial Tucker decomposition."""
    import tensorly
    from tensorly.decomposition import partial_tucker

    start = time.perf_counter()
    (core, factors), _ = partial_tucker(weight.astype(np.float64), rank=[r_out, r_in], modes=[0, 1])
    spent = 1e3 * (time.perf_counter() - start)
    made = tensorly.tenalg.multi_mode_dot(core, factors, modes=[0, 1])
    return float(np.linalg.norm(made - weight) / np.linalg.norm(weight)), spent


if __name__ == "__main__":
    main()

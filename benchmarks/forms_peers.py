"""Forms beside those of other libraries at equal settings, on the same networks and images, in one run.

python -m benchmarks.forms_peers

Half of the channels by their L1 norms against torch-pruning, both recovered alike; int8 by min-max against the static
quantisers of onnxruntime and nncf, over the same 256 images; 32 centres a layer against scikit-learn's k-means;
Tucker-2 at equal ranks against tensorly's. Latency is onnxruntime's, interleaved, as a ratio of the untouched network.
nncf and tensorly live in a folder of their own:

    pip install --no-deps --target .peers -r benchmarks/peers-requirements.txt

About three minutes on two cores that do other work too.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from benchmarks.factors import timed_own, timed_tensorly
from benchmarks.forms import EPOCHS, NETWORKS, SAMPLES
from benchmarks.levels import Bench
from benchmarks.peers_int8 import INSTALL, Images, installed, quantisers, share_right
from examples.train import trained_lenet5, trained_residual
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.profilers.onnxruntime import OnnxRuntimeProfiler
from methods.channel_pruning import ChannelPruning
from methods.graph.coupling.trace import couple
from methods.graph.file import packed_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.onnx_out.export import export
from methods.graph.surgery.forms import share_weight
from methods.numerics.kmeans import cluster
from methods.numerics.lowrank import Floats
from methods.quantization import Quantization
from methods.recovery.fine_tuning import FineTuning
from search.data import DataError

CENTRES, CALIBRATION = 32, 256
MODULES: dict[str, Callable[[], nn.Module]] = {"lenet5": trained_lenet5, "residual": trained_residual}
Shared = tuple[Floats, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]
"""A codebook, and indices of the weight's shape."""


def main() -> None:
    """Prints every comparison for both networks."""
    torch.set_num_threads(1)
    start = time.monotonic()
    try:
        for name in NETWORKS:
            compare(name, NETWORKS[name]())
    except DataError as error:
        print(f"the other tables are missing: {error}")
    print(f"{time.monotonic() - start:.0f} s in all")


def compare(name: str, bench: Bench) -> None:
    """Every comparison on one network."""
    print(f"\n{name}: {bench.accuracy(bench.graph):.2%} untouched, {packed_bytes(bench.graph):,} bytes")
    channels(bench, MODULES[name]())
    int8(bench)
    codebooks(bench)
    tucker(bench.graph)


def channels(bench: Bench, model: nn.Module) -> None:
    """Half of the units of every group, by L1 norms of the weights that make them, or of all that belongs to them."""
    choices = dict.fromkeys(couple(bench.graph).groups, 0.5)
    names = ("magnitude-l1", "group-magnitude")
    ours = {f"fitwright, {n}": ChannelPruning(n).apply(bench.graph, choices, bench.train) for n in names}
    theirs = capture(halved(model, bench.train.inputs[0][:2]), bench.train.inputs[0][:2])
    data, made = bench.train.head(SAMPLES), ours | {"torch-pruning": theirs}
    tuned = [FineTuning(epochs=EPOCHS).recover(graph, bench.graph, data, 0) for graph in made.values()]
    times = latencies([export(graph) for graph in (bench.graph, *tuned)])
    print(f"{'channels 50 %':28} {'cut':>8} {'recovered':>9} {'bytes':>10} {'latency':>8}")
    for (name, cut), graph, latency in zip(made.items(), tuned, times, strict=True):
        scores = f"{bench.accuracy(cut):8.2%} {bench.accuracy(graph):9.2%}"
        print(f"  {name:26} {scores} {packed_bytes(graph):10,} {latency:8.3f}", flush=True)


def halved(model: nn.Module, example: torch.Tensor) -> nn.Module:
    """The same by torch-pruning (Fang et al., "DepGraph", 2023, arXiv 2301.12900); the last layer's outputs stay."""
    import torch_pruning

    model = copy.deepcopy(model)
    last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    importance = torch_pruning.importance.MagnitudeImportance(p=1)
    torch_pruning.pruner.BasePruner(model, example, importance, pruning_ratio=0.5, ignored_layers=[last]).step()
    return model.eval()


def int8(bench: Bench) -> None:
    """Weights and activations in 8 bits, by what was seen on the same images; nothing is trained."""
    data, whole = bench.train.head(CALIBRATION), export(bench.graph)
    sites = {use.site: "int8" for use in bench.graph.weight_uses()}
    made, images = {"fitwright": export(Quantization().apply(bench.graph, sites, data))}, values(data.inputs[0])
    made |= {name: quantise(whole, images) for name, quantise in quantisers().items()}
    times = latencies([whole, *made.values()])
    print(f"{'int8, static':22} {'accuracy':>8} {'ONNX bytes':>10} {'latency':>8}")
    for (name, program), latency in zip(made.items(), times, strict=True):
        assert bench.unseen.labels is not None
        right = share_right(program, values(bench.unseen.inputs[0]), bench.unseen.labels.numpy())
        print(f"  {name:20} {right:8.2%} {len(program):10,} {latency:8.3f}", flush=True)
    if "nncf" not in made:
        print(f"  nncf isn't installed: {INSTALL}")


def codebooks(bench: Bench) -> None:
    """The same number of centres for each layer; distortion is the squared error over that of their mean."""
    print(f"{f'{CENTRES} centres a layer':22} {'accuracy':>8} {'bytes':>10} {'distortion':>10} {'cpu s':>6}")
    for name, share in {"fitwright": by_ours, "scikit-learn": by_sklearn}.items():
        graph, error, spread, start = bench.graph.clone(), 0.0, 0.0, time.process_time()
        for use in graph.weight_uses():
            weight = graph.tensor(use.weight).detach().numpy()
            book, indices = share(weight)
            error += float(np.square(book[indices] - weight).sum())
            spread += float(np.square(weight - weight.mean()).sum())
            share_weight(graph, use, torch.from_numpy(book), torch.from_numpy(indices))
        graph.remove_unused()
        spent, right = time.process_time() - start, bench.accuracy(graph)
        print(f"  {name:20} {right:8.2%} {packed_bytes(graph):10,} {error / spread:10.6f} {spent:6.2f}", flush=True)


def by_ours(weight: Floats) -> Shared:
    """The fast solver."""
    found = cluster(weight, CENTRES)
    return found.centres, found.indices


def by_sklearn(weight: Floats) -> Shared:
    """Its KMeans as it comes: one start by k-means++."""
    from sklearn.cluster import KMeans

    found = KMeans(min(CENTRES, len(np.unique(weight))), random_state=0).fit(weight.reshape(-1, 1))
    return found.cluster_centers_[:, 0].astype(np.float32), found.labels_.astype(np.uint8).reshape(weight.shape)


def tucker(graph: Graph) -> None:
    """The relative error of the weights, over all convolutions with several inputs, and milliseconds."""
    if not installed("tensorly"):
        print(f"Tucker-2: tensorly isn't installed: {INSTALL}")
        return
    weights = [graph.tensor(use.weight).detach().numpy() for use in graph.weight_uses()]
    weights = [w for w in weights if w.ndim == 4 and w.shape[1] > 1 and w.shape[2] > 1]
    print(f"{'Tucker-2, half ranks':22} {'error':>8} {'ms':>8}")
    for name, timed in {"fitwright": timed_own, "tensorly": timed_tensorly}.items():
        rows = [timed(w, w.shape[1] // 2, w.shape[0] // 2) for w in weights]
        error = np.sqrt(np.mean([each**2 for each, _ in rows]))
        print(f"  {name:20} {error:8.5f} {sum(ms for _, ms in rows):8.1f}", flush=True)


def latencies(programs: Sequence[bytes]) -> list[float]:
    """Of all programs but the first, as ratios of the first, all interleaved."""
    profiler = OnnxRuntimeProfiler()
    try:
        times = [m.latency_s for m in profiler.measure(list(programs), LOCAL_ONNXRUNTIME)]
    finally:
        profiler.close()
    return [latency / times[0] for latency in times[1:]]


def values(inputs: torch.Tensor) -> Images:
    """As onnxruntime takes them."""
    return inputs.numpy().astype(np.float32)


if __name__ == "__main__":
    main()

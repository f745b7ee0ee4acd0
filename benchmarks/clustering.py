"""Codebooks and structured weights: seconds and distortion against scikit-learn, and where Fourier transforms pay.

Prints, in one run: 256 centres for a 4096 x 4096 weight (seconds, mean squared error over variance), the same for a
million weights against full k-means, the fast solver against the optimum, circulant products by Fourier transform
against the expanded matrix, and LeNet-5's accuracy with 32 values a layer. Seconds are of one core's time, so that
other work on the machine does not count. About two minutes:

    OMP_NUM_THREADS=1 python -m benchmarks.clustering
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from examples.train import accuracy, trained_lenet5
from methods.base import Data
from methods.graph.intake.capture import capture
from methods.graph.module import GraphModule
from methods.numerics.circulant import best_columns, expanded, product, random_flips
from methods.numerics.kmeans import SOLVERS, cluster
from methods.numerics.nearest import nearest
from methods.weight_sharing import WeightSharing
from search.data import load_dataset
from search.splits import split

SIDE, CENTRES, SOME = 4096, 256, 1_000_000
Floats = NDArray[np.float32]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What `work` gives, and its seconds of processor time."""
    start = time.process_time()
    made = work()
    return made, time.process_time() - start


def fastest(work: Callable[[], Any], repeats: int = 7) -> float:
    """The least seconds of several runs."""
    return min(timed(work)[1] for _ in range(repeats))


def distortion(values: Floats, centres: Floats) -> float:
    """Mean squared error over the variance, with every value at its nearest centre."""
    centres = np.sort(centres)
    errors = centres[nearest(values, centres)] - values
    return float(np.square(errors, dtype=np.float64).mean() / values.var(dtype=np.float64))


def clustering() -> None:
    """256 centres: our solvers, k-means of scikit-learn on a 1 % sample, and its mini-batches."""
    values = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(np.float32)
    print(f"{CENTRES} centres for {SIDE} x {SIDE} normal weights (seconds with the assignment of all of them):")
    for solver in SOLVERS:
        report(solver, values, *timed(lambda s=solver: cluster(values, CENTRES, solver=s).centres))  # type: ignore[misc]
    drawn = np.random.default_rng(1).choice(values.reshape(-1), values.size // 100)
    report("scikit-learn KMeans, 1 % sample", values, *rival(drawn, values, mini=False))
    report("scikit-learn MiniBatchKMeans", values, *rival(values, values, mini=True))


def sampling() -> None:
    """A sample of 1 % against all of a million weights."""
    values = np.random.default_rng(0).laplace(size=SOME).astype(np.float32)
    print(f"{CENTRES} centres for {SOME:,} Laplace weights:")
    for solver in SOLVERS:
        report(solver, values, *timed(lambda s=solver: cluster(values, CENTRES, solver=s).centres))  # type: ignore[misc]
    report("scikit-learn KMeans, all", values, *rival(values, values, mini=False))


def rival(fitted: Floats, assigned: Floats, mini: bool) -> tuple[Floats, float]:
    """Centres by scikit-learn, and the seconds of fitting and of assigning all weights."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    kind = MiniBatchKMeans(CENTRES, random_state=0, n_init=1, batch_size=16384) if mini else KMeans(CENTRES, n_init=1)
    model, seconds = timed(lambda: kind.set_params(random_state=0).fit(fitted.reshape(-1, 1)))
    _, more = timed(lambda: model.predict(assigned.reshape(-1, 1)))
    return model.cluster_centers_.reshape(-1).astype(np.float32), seconds + more


def report(name: str, values: Floats, centres: Floats, seconds: float) -> None:
    print(f"  {name:32} {seconds:7.2f} s   distortion {distortion(values, centres):.3e}", flush=True)


def optimum() -> None:
    """How far the fast solver is from the optimum, which is exact for so many values."""
    print("fast against exact, 16,384 values: distortion above the optimum")
    random = np.random.default_rng(0)
    for name, values in (("normal", random.standard_normal(1 << 14)), ("Laplace", random.laplace(size=1 << 14))):
        some = values.astype(np.float32)
        errors = [
            [distortion(some, cluster(some, k, solver=s).centres) for s in SOLVERS[::2]] for k in (4, 16, 64, 256)
        ]
        text = ", ".join(f"k={k} {f / e - 1:+.2%}" for k, (f, e) in zip((4, 16, 64, 256), errors, strict=True))
        print(f"  {name:8} {text}", flush=True)


def circulant() -> None:
    """Seconds of the expanded product over those by Fourier transforms: above 1, transforms are faster."""
    print("circulant d x d as one block and in blocks of 64: times faster by Fourier transforms than expanded")
    for side in (128, 256, 512, 1024, 2048, 4096):
        cells = [f"{crossing(side, block, batch):6.2f}" for block in (side, 64) for batch in (1, 64)]
        print(f"  d={side:5}: one block, batch 1 {cells[0]}, 64 {cells[1]}; blocks, batch 1 {cells[2]}, 64 {cells[3]}")


def crossing(side: int, block: int, batch: int) -> float:
    """Expanded over transformed seconds."""
    weight, flips, inputs = torch.randn(side, side), random_flips(side, 0), torch.randn(batch, side)
    columns = best_columns(weight, block, flips)
    dense = expanded(columns, (side, side), flips)
    slow = fastest(lambda: torch.nn.functional.linear(inputs, dense))
    return slow / fastest(lambda: product(columns, inputs, flips, side))


def lenet5() -> None:
    """32 values a layer, not trained afterwards: a codebook's paper promises half a point."""
    data = split(load_dataset("mnist"), 0).report
    graph = capture(trained_lenet5(), torch.zeros(1, 1, 28, 28))
    sites = ("weight:conv1", "weight:conv2", "weight:fc1", "weight:fc2")
    shared = WeightSharing().apply(graph, dict.fromkeys(sites, 5), Data((torch.zeros(0),)))
    before, after = (accuracy(GraphModule(each), data) for each in (graph, shared))
    print(f"LeNet-5, k=32 in every layer: accuracy {before:.2%} -> {after:.2%} ({100 * (after - before):+.2f} points)")


def main() -> None:
    torch.set_num_threads(1)
    for part in (clustering, sampling, optimum, circulant, lenet5):
        part()


if __name__ == "__main__":
    main()

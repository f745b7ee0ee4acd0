"""Sparsity at every granularity on LeNet-5 / MNIST: accuracy before, after and after recovery, bytes of the file.

python -m benchmarks.sparsity

Every row asserts that the zeros are exact and as many as asked for, before and after retraining.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch

from examples.train import trained_lenet5
from methods.base import Data, Value
from methods.graph.file import packed_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.surgery.forms import mask_of
from methods.graph.values import value_of
from methods.recovery.fine_tuning import FineTuning
from methods.recovery.gradual import Gradual
from methods.recovery.one_shot import OneShot
from methods.recovery.schedule import Schedule
from methods.sparsity import Sparsity
from search.data import load_dataset
from search.splits import Splits, split
from search.target import FormTarget

SITES = ("weight:conv1", "weight:conv2", "weight:fc1", "weight:fc2")
BRIEF, LONG = OneShot(FineTuning(epochs=2)), Gradual(FineTuning(epochs=8, patience=8), rounds=5)
LAYERS, TOGETHER = Sparsity(), Sparsity(ranking="global")


def everywhere(convolutions: Value, linear: Value) -> dict[str, Value]:
    """One value for the two convolutions, one for the two linear layers."""
    return dict(zip(SITES, (convolutions, convolutions, linear, linear)))


STEPS: dict[str, tuple[Sparsity, Mapping[str, Value], Schedule]] = {
    "weights, 50 % stay": (LAYERS, everywhere(0.5, 0.5), BRIEF),
    "weights, 10 % stay": (LAYERS, everywhere(0.1, 0.1), BRIEF),
    "weights, 10 % stay, gradual": (LAYERS, everywhere(0.1, 0.1), LONG),
    "weights, 10 % of all, gradual": (TOGETHER, everywhere(0.1, 0.1), LONG),
    "weights, 5 % of all, gradual": (TOGETHER, everywhere(0.05, 0.05), LONG),
    "2:4": (LAYERS, everywhere("2:4", "2:4"), BRIEF),
    "1:4": (LAYERS, everywhere("1:4", "1:4"), BRIEF),
    "strided kernels (9 of 25)": (LAYERS, everywhere("strided:2", 0.36), BRIEF),
    "pattern kernels (9 of 25)": (LAYERS, everywhere("pattern:9", 0.36), BRIEF),
    "patterns, half of the kernels": (LAYERS, everywhere("pattern:9+kernel:0.5", 0.18), BRIEF),
    "kernels, 50 % stay": (LAYERS, everywhere("kernel:0.5", 0.5), BRIEF),
    "blocks 4x1, 50 % stay": (LAYERS, everywhere("block:4x1:0.5", "block:4x1:0.5"), BRIEF),
    "columns, 50 % stay": (LAYERS, everywhere("column:0.5", "column:0.5"), BRIEF),
    "rows, 50 % stay": (LAYERS, {s: "row:0.5" for s in SITES[:3]}, BRIEF),
}


@dataclass(frozen=True)
class Row:
    """Shares of right answers on the report split: untouched, masked, recovered; and what stays."""

    before: float
    after: float
    recovered: float
    kept: float
    graph: Graph


@cache
def lenet5() -> tuple[Graph, Splits]:
    """LeNet-5, trained, with the splits of its data."""
    splits = split(load_dataset("mnist"), 0)
    return capture(trained_lenet5(), splits.train.inputs[0][:1]), splits


def accuracy(graph: Graph, data: Data) -> float:
    """The share of right answers."""
    assert data.labels is not None
    with torch.no_grad():
        return float(graph(*data.inputs)[0].argmax(1).eq(data.labels).float().mean())


def kept(graph: Graph) -> tuple[int, int]:
    """How many weights are not zero, and of how many; fails where a masked one isn't exactly zero."""
    left = total = 0
    for use in graph.weight_uses():
        weight, mask = value_of(graph, use.node.args[1]), mask_of(graph, use)
        assert mask is None or not weight[~mask].any(), f"a zero was lost at {use.site}"
        left += weight.numel() if mask is None else int(mask.sum())
        total += weight.numel()
    return left, total


def step(method: Sparsity, choices: Mapping[str, Value], schedule: Schedule, seed: int = 0) -> Row:
    """Puts masks on and recovers. Fails where a zero was lost or the count isn't the one asked for."""
    graph, splits = lenet5()
    target = FormTarget([(method, choices)], graph, splits.train)
    masked = target.apply(graph)
    found = schedule.reach(graph, graph, splits.train, seed, target)
    (left, total), wanted = kept(found), kept(masked)
    assert (left, total) == wanted, f"{left} weights are left of the {wanted[0]} asked for"
    scores = [accuracy(each, splits.report) for each in (graph, masked, found)]
    return Row(scores[0], scores[1], scores[2], left / total, found)


def main() -> None:
    """Prints the ladder."""
    torch.set_num_threads(1)
    graph, splits = lenet5()
    whole = packed_bytes(graph)
    print(f"LeNet-5, untouched: {accuracy(graph, splits.report):.2%} of {len(splits.report)}, {whole} bytes")
    print(f"{'what stays':32} {'kept':>6} {'masked':>8} {'retrained':>9} {'points':>7} {'bytes':>8} {'ratio':>6}")
    for name, (method, choices, schedule) in STEPS.items():
        start = time.monotonic()
        row = step(method, choices, schedule)
        size = packed_bytes(row.graph)
        lost = 100 * (row.recovered - row.before)
        print(
            f"{name:32} {row.kept:6.1%} {row.after:8.2%} {row.recovered:9.2%} {lost:+7.2f} {size:8} "
            f"{whole / size:5.1f}x  {time.monotonic() - start:4.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Weights on few levels: accuracy of LeNet-5 on MNIST as trained, in each form, and after training in it; file bytes.

Every form is put on all layers but the first and the last, as in the papers, then trained with the float network as
teacher. Accuracy is that on 2,000 images which training doesn't see. "float, trained on" had the same training.

python -m benchmarks.levels
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from examples.train import trained_lenet5
from hwmodels.device import Device
from methods.base import Data, Value
from methods.binary import Binary
from methods.dorefa import DoReFa
from methods.graph.file import packed_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.observe import outputs
from methods.level_method import LevelMethod
from methods.power_of_two import PowerOfTwo
from methods.recovery.fine_tuning import FineTuning
from methods.ternary import Ternary
from search.data import load_dataset
from search.splits import split

ANY = Device("any", "any", "analytical", "roofline", {"fp32": 1e9}, {}, ())
TRAINING = FineTuning(epochs=6, learning_rate=1e-3)
FORMS: tuple[tuple[LevelMethod, Value], ...] = (
    (Ternary(), "twn"),
    (Ternary(ends=True), "twn"),
    (Ternary(), "ttq"),
    (Binary(), "binary"),
    (Binary(), "xnor"),
    (PowerOfTwo(incremental=True), 5),
    (PowerOfTwo(), 3),
    (DoReFa(), "w2"),
    (DoReFa(), "w4a4"),
    (DoReFa(), "w1a2"),
)


@dataclass(frozen=True)
class Row:
    """One form: accuracy when it was put on and after training, bytes of the file, seconds of training."""

    name: str
    put_on: float
    trained: float
    file_bytes: int
    seconds: float


@dataclass(frozen=True)
class Bench:
    """The float network, what to train on, and what to count on."""

    graph: Graph
    train: Data
    unseen: Data

    @classmethod
    def lenet5(cls, seed: int = 0) -> Bench:
        parts = split(load_dataset("mnist"), seed)
        unseen = [parts.reward, parts.choice, parts.report]
        inputs = tuple(torch.cat(column) for column in zip(*(p.inputs for p in unseen), strict=True))
        graph = capture(trained_lenet5(seed), (torch.zeros(2, 1, 28, 28),))
        return cls(graph, parts.train, Data(inputs, torch.cat([_labels(p) for p in unseen])))

    def accuracy(self, graph: Graph) -> float:
        """The share of unseen images whose largest output is at the label."""
        return float((outputs(graph, self.unseen.inputs)[0].argmax(1) == _labels(self.unseen)).float().mean())

    def row(self, method: LevelMethod, value: Value) -> Row:
        """One form, put on and trained."""
        sites = method.space(self.graph, ANY).sites
        formed = method.apply(self.graph, dict.fromkeys(sites, value), self.train)
        every = ", every layer" if method.ends else ""
        return self._trained(f"{method.name} {value}{every}", formed)

    def plain(self) -> Row:
        """The float network with the same training."""
        return self._trained("float, trained on", self.graph)

    def _trained(self, name: str, graph: Graph) -> Row:
        start = time.monotonic()
        tuned = TRAINING.recover(graph, self.graph, self.train, 0)
        spent = time.monotonic() - start
        return Row(name, self.accuracy(graph), self.accuracy(tuned), packed_bytes(tuned), spent)


def show(bench: Bench, rows: Iterable[Row]) -> None:
    """The table, a line as soon as it is known."""
    whole, best = packed_bytes(bench.graph), bench.accuracy(bench.graph)
    print(f"{'form':28} {'put on':>8} {'trained':>8} {'points':>7} {'bytes':>10} {'smaller':>8} {'s':>5}")
    print(f"{'float':28} {best:8.2%} {best:8.2%} {0.0:+7.2f} {whole:10,} {1.0:7.1f}x", flush=True)
    for row in rows:
        points = 100 * (row.trained - best)
        print(
            f"{row.name:28} {row.put_on:8.2%} {row.trained:8.2%} {points:+7.2f} {row.file_bytes:10,} "
            f"{whole / row.file_bytes:7.1f}x {row.seconds:5.1f}",
            flush=True,
        )


def _labels(data: Data) -> Tensor:
    assert data.labels is not None
    return data.labels


def main() -> None:
    torch.set_num_threads(1)
    bench = Bench.lenet5()
    rows = (bench.row(method, value) for method, value in FORMS)
    show(bench, chain([bench.plain()], rows))


if __name__ == "__main__":
    main()

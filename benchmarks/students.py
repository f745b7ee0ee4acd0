"""A small student from scratch, with and without a teacher: what its answers teach beyond the labels.

The teacher is LeNet-5, trained on the first 10,000 training images of Fashion-MNIST; the student is a LeNet with a
fifth of its channels. It learns from 2,000 of those images, from the labels alone or with the teacher, for as many
steps and from the same first weights. Learning rate and epochs, the same for both, were chosen on training images
10,000 to 12,000, which neither has seen; temperature and mix are usual ones. Printed is accuracy on 10,000 test images.

Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015, arXiv 1503.02531.

python -m benchmarks.students
"""

from __future__ import annotations

import time
from statistics import mean, stdev
from typing import Any

import torch
from torch import nn

from benchmarks.fashion import pictures
from benchmarks.levels import Bench
from examples.networks import lenet5
from examples.train import train
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.recovery.catalogue import schedule_of

SEEDS, LEARNT, FEW = (0, 1, 2, 3, 4), 10_000, 2_000
TRAINING = {"epochs": 40, "patience": 40, "learning_rate": 6e-3}
TAUGHT = {"temperature": 4.0, "mix": 0.9}
EXAMPLE = (torch.zeros(2, 1, 28, 28),)


class SmallLeNet(nn.Sequential):
    """LeNet-5 with 4 and 10 channels and 32 hidden units."""

    def __init__(self) -> None:
        first = (nn.Conv2d(1, 4, 5), nn.MaxPool2d(2), nn.ReLU())
        second = (nn.Conv2d(4, 10, 5), nn.MaxPool2d(2), nn.ReLU())
        super().__init__(*first, *second, nn.Flatten(), nn.Linear(160, 32), nn.ReLU(), nn.Linear(32, 10))


def untrained(make: type[nn.Module], seed: int) -> nn.Module:
    """A network's first weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def taught() -> Bench:
    """The teacher, the images that students learn from, and the test images."""
    name, learnt, unseen = pictures(LEARNT, 10_000)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        teacher = capture(train(lenet5(), learnt, 10), EXAMPLE)
    few = learnt.head(FEW)
    print(f"{name}: teacher from {len(learnt):,} images, students from {len(few):,}; {len(unseen):,} unseen")
    return Bench(teacher, few, unseen)


def accuracies(bench: Bench, recovery: str, **settings: Any) -> list[float]:
    """A student's, for each seed."""
    plan = schedule_of({"recovery": recovery, "settings": TRAINING | settings}).recovery
    students = (capture(untrained(SmallLeNet, seed), EXAMPLE) for seed in SEEDS)
    return [
        bench.accuracy(plan.recover(student, bench.graph, bench.train, seed))
        for seed, student in zip(SEEDS, students, strict=True)
    ]


def row(name: str, graph: Graph, found: list[float], plain: list[float]) -> None:
    """Mean accuracy, and what that is above the labels alone, in points, with its standard error."""
    gains = [100 * (a - b) for a, b in zip(found, plain, strict=True)]
    error = stdev(found) / len(found) ** 0.5
    gained = f"{mean(gains):+6.2f} +- {stdev(gains) / len(gains) ** 0.5:.2f}" if found is not plain else ""
    print(f"  {name:32} {graph.parameter_count:9,} {mean(found):7.2%} +- {error:.2%}  {gained}", flush=True)


def main() -> None:
    torch.set_num_threads(1)
    bench, start = taught(), time.monotonic()
    print(f"  {'teacher':32} {bench.graph.parameter_count:9,} {bench.accuracy(bench.graph):7.2%}")
    student = capture(SmallLeNet(), EXAMPLE)
    plain = accuracies(bench, "plain")
    row("student, labels", student, plain, plain)
    words = f"temperature {TAUGHT['temperature']:g}, mix {TAUGHT['mix']:g}"
    row(f"student, {words}", student, accuracies(bench, "distillation", **TAUGHT), plain)
    print(f"  ({time.monotonic() - start:.0f} s)")


if __name__ == "__main__":
    main()

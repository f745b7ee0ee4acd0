"""Ways to win accuracy back, at equal numbers of steps: which beats plain fine-tuning, and where.

LeNet-5 on MNIST (1,000 images to learn from), a residual and a depthwise network on the digits, each under hard
settings: few weights left, codebooks of one or two bits, ternary weights, few channels, four bits. Every way trains for
the same epochs on the same data with Adam at the same rate; accuracy is that on images which neither training nor
stopping sees, averaged over seeds. "plain" learns from the labels alone; all other rows have the original as teacher.
Names with a schedule use fine-tuning with teacher and labels. Last, a long way to five per cent of the weights.
Students from scratch are in `benchmarks.students`.

python -m benchmarks.recoveries
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

import torch
from torch import nn

from benchmarks.levels import Bench
from examples.networks import depthwise_digits, residual_digits
from examples.train import train
from methods.base import Data, Value
from methods.catalogue import METHODS
from methods.graph.coupling.trace import couple
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.values import value_of
from methods.recovery.admm import Admm
from methods.recovery.catalogue import schedule_of
from methods.recovery.fine_tuning import FineTuning
from methods.recovery.one_shot import OneShot
from methods.recovery.schedule import Schedule
from search.data import load_dataset
from search.splits import split
from search.target import FormTarget

EPOCHS, LONG_EPOCHS, SEEDS = 8, 16, (0, 1, 2)
WAYS: dict[str, dict[str, Any]] = {
    "plain": {"recovery": "plain"},
    "fine-tuning": {"recovery": "fine-tuning"},
    "distillation": {"recovery": "distillation"},
    "logits": {"recovery": "distillation", "settings": {"kind": "logits"}},
    "hints": {"recovery": "distillation", "settings": {"kind": "hints"}},
    "gradual": {"schedule": "gradual"},
    "admm": {"schedule": "admm"},
    "straight-through": {"schedule": "straight-through", "settings": {"every": 4}},
    "soft": {"schedule": "soft"},
}


@dataclass(frozen=True)
class Setting:
    """A network, a form for every layer that can take it (method -> value), and the ways that make sense there."""

    network: str
    forms: Mapping[str, Value]
    ways: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.network} {', '.join(f'{m} {v}' for m, v in self.forms.items())}"

    def target(self, bench: Bench) -> FormTarget:
        """The forms on all weights, or on all groups of channels."""
        weights = [use.site for use in bench.graph.weight_uses()]
        sites = {"channel-pruning": list(couple(bench.graph).groups), "ternary": weights[1:-1]}
        steps = [(METHODS[m], dict.fromkeys(sites.get(m, weights), v)) for m, v in self.forms.items()]
        return FormTarget(steps, bench.graph, bench.train)


EVERY = ("plain", "fine-tuning", "distillation", "hints", "gradual", "admm", "straight-through", "soft")
TAUGHT = ("plain", "fine-tuning", "distillation", "logits", "hints")
WALKED = ("plain", "fine-tuning", "distillation", "admm", "straight-through")
SETTINGS = (
    Setting("LeNet-5", {"sparsity": 0.05}, EVERY),
    Setting("LeNet-5", {"weight-sharing": 1}, WALKED),
    Setting("residual", {"sparsity": 0.1}, EVERY),
    Setting("residual", {"weight-sharing": 2}, WALKED),
    Setting("residual", {"ternary": "twn"}, WALKED),
    Setting("residual", {"channel-pruning": 0.75}, TAUGHT),
    Setting("residual", {"channel-pruning": 0.75, "quantization": "w4"}, TAUGHT[:3]),
    Setting("depthwise", {"quantization": "w4a4"}, TAUGHT[:3]),
)


def digits(make: Callable[[], nn.Module], seed: int = 0) -> Bench:
    """A network trained on the digits."""
    parts = split(load_dataset("digits"), seed)
    unseen = [parts.reward, parts.choice, parts.report]
    labels = torch.cat([p.labels for p in unseen if p.labels is not None])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = train(make(), parts.train, 12)
    graph = capture(network, parts.train.inputs[0][:2])
    return Bench(graph, parts.train, Data((torch.cat([p.inputs[0] for p in unseen]),), labels))


def accuracies(bench: Bench, target: FormTarget, way: Mapping[str, Any]) -> list[float]:
    """Accuracy after one way of recovering, for each seed."""
    settings = {"epochs": EPOCHS, "patience": EPOCHS, "learning_rate": 1e-3} | way.get("settings", {})
    return [bench.accuracy(g) for g in walked(bench, schedule_of({**way, "settings": settings}), target)]


def measure(setting: Setting, bench: Bench) -> None:
    """One setting's rows: mean accuracy over seeds, and what that is above plain fine-tuning, in points."""
    target, start = setting.target(bench), time.monotonic()
    put_on = bench.accuracy(target.apply(bench.graph))
    print(f"\n{setting.name}: {bench.accuracy(bench.graph):.2%} untouched, {put_on:.2%} with the forms put on")
    plain: Sequence[float] = ()
    for name in setting.ways:
        found = accuracies(bench, target, WAYS[name])
        plain = plain or found
        gains = [100 * (a - b) for a, b in zip(found, plain, strict=True)]
        verdict = points(gains) if name != "plain" else ""
        print(f"  {name:18} {mean(found):7.2%}  {verdict}", flush=True)
    print(f"  ({time.monotonic() - start:.0f} s)")


def long_walk(bench: Bench, kept: float = 0.05) -> None:
    """ADMM at 95 % sparsity against cutting at once, over equal and many epochs on all 3,000 images."""
    target, start = Setting("LeNet-5", {"sparsity": kept}, ()).target(bench), time.monotonic()
    tuning = FineTuning(epochs=LONG_EPOCHS, patience=LONG_EPOCHS, learning_rate=3e-3)
    print(f"\nLeNet-5 sparsity {kept}, {LONG_EPOCHS} epochs on {len(bench.train):,} images at rate 3e-3")
    at_once = walked(bench, OneShot(tuning), target)
    print(f"  {'at once':18} {mean(map(bench.accuracy, at_once)):7.2%}", flush=True)
    residuals: list[float] = []
    ends = walked(bench, Admm(tuning, on_residual=residuals.append), target)
    gains = [100 * (bench.accuracy(a) - bench.accuracy(b)) for a, b in zip(ends, at_once, strict=True)]
    right = all(exact(graph, kept) for graph in ends)
    print(f"  {'admm':18} {mean(map(bench.accuracy, ends)):7.2%}  {points(gains)}")
    updates = len(residuals) // len(SEEDS)
    worst = max(residuals[updates - 1 :: updates])
    print(f"  residual at most {worst:.4f} before the cut, {'exactly' if right else 'NOT'} the weights wanted after it")
    print(f"  ({time.monotonic() - start:.0f} s)")


def walked(bench: Bench, plan: Schedule, target: FormTarget) -> list[Graph]:
    """The network at its forms, for each seed."""
    return [plan.reach(bench.graph, bench.graph, bench.train, seed, target) for seed in SEEDS]


def exact(graph: Graph, kept: float) -> bool:
    """Whether every layer has this share of its weights, to the single weight."""
    values = [value_of(graph, use.node.args[1]) for use in graph.weight_uses()]
    return all(int(v.count_nonzero()) == round(kept * v.numel()) for v in values)


def points(gains: Sequence[float]) -> str:
    """The mean with its standard error."""
    return f"{mean(gains):+6.2f} +- {stdev(gains) / len(gains) ** 0.5:.2f}"


def main() -> None:
    torch.set_num_threads(1)
    lenet5 = Bench.lenet5()
    few = Bench(lenet5.graph, lenet5.train.head(1000), lenet5.unseen)
    networks = {"LeNet-5": few, "residual": digits(residual_digits), "depthwise": digits(depthwise_digits)}
    for setting in SETTINGS:
        measure(setting, networks[setting.network])
    long_walk(lenet5)


if __name__ == "__main__":
    main()

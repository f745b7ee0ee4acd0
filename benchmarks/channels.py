"""Channels pruned with training: filters by their L1 norm, and network slimming, on a VGG-like network.

python -m benchmarks.channels
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from examples.train import train
from methods.base import Data, Value
from methods.channel_pruning import ChannelPruning
from methods.graph.coupling.trace import couple
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.observe import outputs
from methods.graph.surgery.edit import prune
from methods.importance.catalogue import importance
from methods.importance.global_choice import kept_globally
from methods.recovery.batch_norm import BatchNormRecalibration
from methods.recovery.fine_tuning import FineTuning
from methods.recovery.slimming import Slimming
from search.data import load_dataset
from search.splits import Splits, split

TUNING = FineTuning(epochs=12)
SLIMMING = Slimming(epochs=15, strength=0.05)


class VggLike(nn.Module):
    """Six 3x3 convolutions with batch normalisation in three stages, and one linear layer, for `[n, 1, 28, 28]`."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        widths = (1, width, width, 2 * width, 2 * width, 4 * width, 4 * width)
        layers: list[nn.Module] = []
        for place, (given, made) in enumerate(pairwise(widths)):
            layers += [nn.Conv2d(given, made, 3, padding=1, bias=False), nn.BatchNorm2d(made), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if place % 2 else []
        self.layers, self.last = nn.Sequential(*layers), nn.Linear(4 * width * 9, 10)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.last(self.layers(x).flatten(1))
        return scores


def main() -> None:
    """One row a network: MACs, channels and accuracy against the whole one's."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = split(load_dataset("mnist"), 0)
    whole = capture(train(VggLike(), data.train, epochs=6), (torch.zeros(2, 1, 28, 28),))
    row("whole", whole, whole, data)
    filters(whole, data)
    slimmed(whole, data)


def filters(whole: Graph, data: Splits) -> None:
    """A sixth of the filters of every layer, which is thirty per cent of the MACs; then fresh statistics, training."""
    choices: Mapping[str, Value] = dict.fromkeys(couple(whole).groups, 0.83)
    cut = ChannelPruning("magnitude-l1").apply(whole, choices, data.train)
    row("l1-filter: cut", cut, whole, data)
    row("  + batch-norm", BatchNormRecalibration().recover(cut, whole, data.train, 0), whole, data)
    row("  + fine-tuning", TUNING.recover(cut, whole, data.train, 0), whole, data)


def slimmed(whole: Graph, data: Splits) -> None:
    """Half to seven tenths of the channels, by one threshold on scales that were trained with a price."""
    slim = SLIMMING.recover(whole, whole, data.train, 0)
    row("slimming: trained", slim, whole, data)
    scores = importance("batch-norm-scale").score(slim, data.train)
    for share in (0.5, 0.4, 0.3):
        cut = prune(slim, kept_globally(scores, share))
        row(f"  {1 - share:.0%} of channels cut", cut, whole, data)
        row("    + fine-tuning", TUNING.recover(cut, whole, data.train, 0), whole, data)


def row(name: str, graph: Graph, whole: Graph, data: Splits) -> None:
    """Prints one network beside the whole one."""
    units = [sum(len(g) for g in couple(g).groups.values()) for g in (graph, whole)]
    macs = lower(graph).macs / lower(whole).macs
    right, reference = accuracy(graph, data.report), accuracy(whole, data.report)
    counted = f"MACs {macs:6.1%}  channels {units[0]:4}/{units[1]}"
    print(f"{name:26} {counted}  accuracy {right:6.2%} ({right - reference:+.2%})")


def accuracy(graph: Graph, data: Data) -> float:
    """On the report part."""
    assert data.labels is not None
    return float((outputs(graph, data.inputs)[0].argmax(1) == data.labels).float().mean())


if __name__ == "__main__":
    main()

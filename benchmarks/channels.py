"""Channels pruned with training: filters by their L1 norm, and network slimming, on a VGG-like network.

python -m benchmarks.channels

The network learns the first 10,000 training images of Fashion-MNIST for as many epochs as the slimmed one has in its
two trainings, while its learning rate falls to zero; its training loss is then below 0.001. Printed are means over the
seeds, on the 10,000 unseen test images, and differences to the whole network in points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from benchmarks.fashion import pictures
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

SEEDS = (0, 1)
SLIMMING = Slimming(epochs=14, strength=0.05, batch=64, held_out=0.02)
TUNING = FineTuning(epochs=8, batch=64, held_out=0.02, patience=8)
"""Patience as long as the training: the learning rate is to fall to its end."""
EPOCHS = SLIMMING.epochs + TUNING.epochs

Figures = tuple[float, float, float]
"""MACs and channels, as shares of the whole network's, and accuracy."""


class VggLike(nn.Module):
    """Six 3x3 convolutions in four stages, as in VGG-11 without its last, for images `[n, 1, 28, 28]`.

    Each is followed by batch normalisation, as in network slimming; a linear layer is the last. Of width 16, a quarter
    of the published one, it has 432 channels. Simonyan and Zisserman, 2015, arXiv 1409.1556, table 1, column A.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        given = 1
        for stage in ((1,), (2,), (4, 4), (8, 8)):
            for made in (width * factor for factor in stage):
                layers += [nn.Conv2d(given, made, 3, padding=1, bias=False), nn.BatchNorm2d(made), nn.ReLU()]
                given = made
            layers.append(nn.MaxPool2d(2))
        self.layers, self.last = nn.Sequential(*layers[:-1]), nn.Linear(given * 9, 10)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.last(self.layers(x).flatten(1))
        return scores


def main() -> None:
    """One row a network."""
    torch.set_num_threads(1)
    name, learnt, unseen = pictures(10_000, 10_000)
    print(f"{name}: {len(learnt):,} images to learn from, {len(unseen):,} unseen; mean of {len(SEEDS)} seeds")
    table: dict[str, list[Figures]] = {}
    for seed in SEEDS:
        whole = trained(learnt, seed)
        for row, graph in (("whole", whole), *filters(whole, learnt, seed), *slimmed(whole, learnt, seed)):
            table.setdefault(row, []).append(figures(graph, whole, unseen))
    reference = mean(table["whole"])[2]
    for row, found in table.items():
        macs, channels, right = mean(found)
        counted = f"MACs {macs:6.1%}  channels {channels:6.1%}"
        print(f"{row:31} {counted}  accuracy {right:6.2%} ({100 * (right - reference):+5.2f} points)")


def trained(learnt: Data, seed: int) -> Graph:
    """The whole network."""
    torch.manual_seed(seed)
    model = VggLike().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a quarter faster
    return capture(train(model, learnt, EPOCHS, seed), (torch.zeros(2, 1, 28, 28),))


def filters(whole: Graph, learnt: Data, seed: int) -> Iterator[tuple[str, Graph]]:
    """A sixth of the filters of every layer, which is thirty per cent of the MACs; then fresh statistics, training."""
    choices: Mapping[str, Value] = dict.fromkeys(couple(whole).groups, 0.83)
    cut = ChannelPruning("magnitude-l1").apply(whole, choices, learnt)
    yield "l1-filter: cut", cut
    yield "l1-filter: cut + batch-norm", BatchNormRecalibration().recover(cut, whole, learnt, seed)
    yield "l1-filter: cut + tuning", TUNING.recover(cut, whole, learnt, seed)


def slimmed(whole: Graph, learnt: Data, seed: int) -> Iterator[tuple[str, Graph]]:
    """Half to seven tenths of the channels, by one threshold on scales that were trained with a price."""
    slim = SLIMMING.recover(whole, whole, learnt, seed)
    yield "slimming: trained", slim
    scores = importance("batch-norm-scale").score(slim, learnt)
    for share in (0.5, 0.4, 0.3):
        cut = prune(slim, kept_globally(scores, share))
        yield f"slimming: {1 - share:.0%} cut", cut
        yield f"slimming: {1 - share:.0%} cut + tuning", TUNING.recover(cut, whole, learnt, seed)


def figures(graph: Graph, whole: Graph, unseen: Data) -> Figures:
    """Of one network beside the whole one."""
    left, of = (sum(len(units) for units in couple(g).groups.values()) for g in (graph, whole))
    assert unseen.labels is not None
    right = float((outputs(graph, unseen.inputs)[0].argmax(1) == unseen.labels).float().mean())
    return lower(graph).macs / lower(whole).macs, left / of, right


def mean(found: list[Figures]) -> Figures:
    """Over the seeds."""
    macs, channels, right = torch.tensor(found, dtype=torch.float64).mean(0).tolist()
    return macs, channels, right


if __name__ == "__main__":
    main()

"""Teachers and compressed students for the tests of recoveries, and targets for the tests of schedules."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from methods.base import Data
from methods.channel_pruning import ChannelPruning
from methods.graph.coupling.trace import couple
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.surgery.forms import mask_weight
from methods.losses import class_axis, label_loss, relative_square, soft_distance
from methods.quantization import Quantization
from methods.weight_sharing import WeightSharing
from tests.zoo.catalogue import network


def captured(name: str, samples: int = 96) -> tuple[Graph, Data]:
    graph = capture(*network(name))
    inputs = graph.example(samples)
    return graph, Data(inputs, graph(*inputs)[0].argmax(dim=1))


def compressed(graph: Graph, data: Data) -> Graph:
    """Half of all channels, then codebooks and int8 where they can be."""
    result = ChannelPruning().apply(graph, dict.fromkeys(couple(graph).groups, 0.5), data)
    result = WeightSharing().apply(result, {"weight:conv2": 3}, data)
    return Quantization().apply(result, {"weight:conv1": "int8"}, data)


def loss(graph: Graph, teacher: Graph, data: Data) -> float:
    """How far a student's scores or values are from its teacher's, on average over outputs, plus the labels' loss."""
    with torch.no_grad():
        outputs, targets = graph(*data.inputs), teacher(*data.inputs)
    axes = [class_axis(outputs[0], data.labels), *(class_axis(o) for o in outputs[1:])]
    distances = [
        relative_square(o, t) if axis is None else soft_distance(o, t, 4.0, axis)
        for o, t, axis in zip(outputs, targets, axes, strict=True)
    ]
    mean = float(torch.stack(distances).mean())
    return mean if data.labels is None else mean + float(label_loss(outputs[0], data.labels))


class Tokens(nn.Module):
    """Words `[n, 6]` of 20 to five scores each, `[n, 6, 5]`."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 8)
        self.first = nn.Linear(8, 16)
        self.last = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.last(torch.relu(self.first(self.words(x))))
        return scores


def values(outputs: int = 2) -> nn.Module:
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, outputs))


def task(kind: str, samples: int = 96) -> tuple[Graph, Data]:
    """A teacher and data that it is right about: "classes" `[n, 5]`, "values" `[n, 2]`, "tokens" `[n, 6, 5]`."""
    if kind == "classes":
        return captured("plain", samples)
    torch.manual_seed(1)
    if kind == "values":
        graph = capture(values(), torch.randn(2, 6))
        inputs = graph.example(samples)
        return graph, Data(inputs, graph(*inputs)[0].detach())
    graph = capture(Tokens(), torch.randint(0, 20, (2, 6)))
    inputs = (torch.randint(0, 20, (samples, 6)),)
    return graph, Data(inputs, graph(*inputs)[0].argmax(dim=2))


def shaken(graph: Graph, size: float = 0.3) -> Graph:
    """The graph with noise on all weights, so that there is something to recover."""
    result, generator = graph.clone(), torch.Generator().manual_seed(5)
    for parameter in result.module.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data.add_(size * float(parameter.detach().std(correction=0)) * noise)
    return result


def same(one: Graph, other: Graph) -> bool:
    """Whether both hold the same tensors under the same names, bit for bit."""
    a, b = one.module.state_dict(), other.module.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def form(graph: Graph) -> list[tuple[str, str, str]]:
    """What stays in any recovery: the nodes with what they call and read."""
    return [(n.op, str(n.target), str(n.args)) for n in graph.nodes if n.op != "placeholder"]


def keep_largest(weight: Tensor, share: float) -> Tensor:
    """True at the share of entries that are largest."""
    kept = max(1, round(share * weight.numel()))
    mask = torch.zeros(weight.numel(), dtype=torch.bool)
    mask[weight.detach().abs().flatten().argsort(descending=True, stable=True)[:kept]] = True
    return mask.reshape(weight.shape)


@dataclass(frozen=True)
class MaskTarget:
    """Keeps a share of each layer's weights. It writes down the progress that it was asked for."""

    kept: float = 0.2
    asked: list[float] = field(default_factory=list)

    def apply(self, graph: Graph, progress: float = 1.0) -> Graph:
        self.asked.append(progress)
        result, share = graph.clone(), 1 - (1 - self.kept) * progress
        for use in list(result.weight_uses()):
            mask_weight(result, use, keep_largest(self._effective(result, use.weight), share))
        result.remove_unused()
        return result

    def project(self, graph: Graph) -> dict[str, Tensor]:
        weights = {use.weight: graph.tensor(use.weight).detach() for use in graph.weight_uses()}
        return {name: weight * keep_largest(weight, self.kept) for name, weight in weights.items()}

    def _effective(self, graph: Graph, name: str) -> Tensor:
        masks = dict(graph.module.named_buffers())
        return graph.tensor(name).detach() * masks.get(f"{name}_mask", torch.ones(()))


@dataclass(frozen=True)
class CodebookTarget:
    """Two bits for each layer's weight, by the catalogue's own method."""

    bits: int = 2

    def apply(self, graph: Graph, progress: float = 1.0) -> Graph:
        choices = {use.site: self.bits for use in graph.weight_uses()}
        return WeightSharing().apply(graph, choices, Data((torch.zeros(1),))) if progress == 1 else graph.clone()

    def project(self, graph: Graph) -> dict[str, Tensor]:
        shared = self.apply(graph)
        names = [use.weight for use in graph.weight_uses()]
        return {
            n: shared.tensor(f"{n}.codebook").detach()[shared.tensor(f"{n}.indices")].reshape(graph.tensor(n).shape)
            for n in names
        }

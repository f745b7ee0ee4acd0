"""Teachers and compressed students for the tests of recoveries."""

from __future__ import annotations

import torch

from methods.base import Data
from methods.channel_pruning import ChannelPruning
from methods.graph.coupling.trace import couple
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.losses import distillation_loss
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
    with torch.no_grad():
        return float(distillation_loss(graph(*data.inputs), teacher(*data.inputs), data.labels, 4.0))

"""A small network with batch normalisation and one without, trained on the built-in digits in a second."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from examples.train import train
from methods.base import Data
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from search.data import load_dataset
from search.splits import Splits, split


class Normed(nn.Module):
    """Four 3x3 convolutions with batch normalisation, as in VGG, and one linear layer."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(self._layer(1, width), self._layer(width, width), nn.MaxPool2d(2)),
            *(self._layer(width, 2 * width), self._layer(2 * width, 2 * width), nn.MaxPool2d(2)),
        )
        self.last = nn.Linear(8 * width, 10)

    def _layer(self, given: int, made: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(given, made, 3, padding=1, bias=False), nn.BatchNorm2d(made), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.last(self.layers(x).flatten(1))
        return scores


class LeNetLike(nn.Module):
    """Two convolutions with pooling and two linear layers, for images of 8 x 8."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.pool = nn.Conv2d(1, 10, 3, padding=1), nn.Conv2d(10, 20, 3), nn.MaxPool2d(2)
        self.fc1, self.fc2 = nn.Linear(20, 40), nn.Linear(40, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(torch.relu(self.conv2(self.pool(torch.relu(self.conv1(x))))))
        scores: Tensor = self.fc2(torch.relu(self.fc1(x.flatten(1))))
        return scores


@cache
def parts() -> Splits:
    """The digits, divided for seed 0."""
    return split(load_dataset("digits"), 0)


@cache
def trained(make: type[nn.Module], epochs: int = 6) -> Graph:
    """The network after some passes over the training part."""
    torch.manual_seed(0)
    return capture(train(make(), parts().train, epochs), (torch.zeros(2, 1, 8, 8),))


def accuracy(graph: Graph, data: Data) -> float:
    """The share of samples whose largest output is at the label."""
    with torch.no_grad():
        return float((graph(*data.inputs)[0].argmax(1) == data.labels).float().mean())

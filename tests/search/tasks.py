"""Tiny trained networks for tasks that are no plain classification, with data saved as a user would save them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from methods.graph.file import write
from methods.graph.intake.capture import capture
from methods.recovery.fine_tuning import PlainFineTuning
from search.data import fitted, load_dataset
from search.splits import split
from tests.zoo.language import EncoderLayer

WORDS, LENGTH, TAGS = 12, 8, 4


@dataclass(frozen=True)
class Task:
    """A model file, its labelled data and the same samples without labels."""

    model: Path
    labelled: Path
    bare: Path


class Centre(nn.Module):
    """How far down the ink of a digit lies: one number for an image `[n, 1, 8, 8]`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc1, self.fc2 = nn.Conv2d(1, 6, 3, stride=2, padding=1), nn.Linear(96, 24), nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        place: Tensor = self.fc2(torch.relu(self.fc1(torch.relu(self.conv(x)).flatten(1))))
        return place


class Follower(nn.Module):
    """A number for each step of a sequence `[n, steps, 2]`: values `[n, steps, 1]`."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(2, 16, batch_first=True), nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        values: Tensor = self.head(self.lstm(x)[0])
        return values


class Tagger(nn.Module):
    """A tag for each token: scores `[n, tokens, tags]` of a transformer with one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(WORDS, 16), nn.Parameter(torch.randn(1, LENGTH, 16))
        self.layer, self.head = EncoderLayer(16, 2, 32), nn.Linear(16, TAGS)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.layer(self.tokens(x) + self.places, torch.zeros(1)))
        return scores


def regression(folder: Path) -> Task:
    """600 digits and where their centre of ink lies, in pixels from the top: fractions around 3.5."""
    images = load_dataset("digits").inputs[0][:600].astype(np.float32)
    ink = images[:, 0].sum(axis=2)
    return _made(folder, Centre, torch.zeros(1, 1, 8, 8), images, (ink * np.arange(8)).sum(1) / ink.sum(1))


def sequence(folder: Path) -> Task:
    """300 sequences of two numbers a step; what is wanted at each step is half the last answer and half their product.

    The labels are `[n, steps]`, one axis short of the output.
    """
    x = np.random.default_rng(0).normal(size=(300, LENGTH, 2)).astype(np.float32)
    wanted = [x[:, 0].prod(axis=1) / 2]
    for step in range(1, LENGTH):
        wanted.append((wanted[-1] + x[:, step].prod(axis=1)) / 2)
    return _made(folder, Follower, torch.zeros(1, LENGTH, 2), x, np.stack(wanted, 1))


def tagging(folder: Path) -> Task:
    """300 sentences whose tags are the kind of the token before; behind the end of a sentence nothing counts."""
    random = np.random.default_rng(0)
    tokens = random.integers(0, WORDS, (300, LENGTH))
    tags = np.concatenate([tokens[:, :1], tokens[:, :-1]], 1) * TAGS // WORDS
    ends = random.integers(4, LENGTH + 1, 300)
    tags = np.where(np.arange(LENGTH) < ends[:, None], tags, -100)
    return _made(folder, Tagger, torch.full((1, LENGTH), WORDS - 1), tokens, tags)


def _made(folder: Path, make: type[nn.Module], example: Tensor, x: np.ndarray, y: np.ndarray) -> Task:  # type: ignore[type-arg]
    """Trains on the training split, with the labels as they were saved."""
    torch.set_num_threads(1)
    task = Task(folder / "model.fwm", folder / "labelled.npz", folder / "bare.npz")
    np.savez(task.labelled, x=x, y=y)
    np.savez(task.bare, x=x)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        graph = capture(make(), example)
    data = split(fitted(load_dataset(task.labelled), graph), 0).train
    training = PlainFineTuning(epochs=30, learning_rate=1e-2, patience=30, batch=16)
    write(training.recover(graph, graph, data, 0), task.model)
    return task

"""Plain training with Adam, and the trained networks that demo and benchmarks compress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from examples.networks import lenet5, residual_fashion
from methods.base import Data
from search.data import load_dataset
from search.splits import split

Progress = Callable[[int, int, float], None]
"""Called after every epoch with (epochs done, epochs in all, mean loss)."""


def train(
    model: nn.Module,
    data: Data,
    epochs: int,
    seed: int = 0,
    on_progress: Progress | None = None,
    learning_rate: float = 2e-3,
    shift: int = 0,
) -> nn.Module:
    """Trains a classifier in place with Adam (Kingma and Ba 2014, arXiv:1412.6980) and returns it in eval mode.

    The learning rate falls along a cosine. The same seed gives the same weights. Runs on one thread.

    Args:
        data: samples `[n, ...]` with labels. shift: every batch of images is moved by up to so many pixels.
    """
    if data.labels is None:
        raise ValueError("training a classifier needs labels")
    optimiser = torch.optim.Adam(model.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    with _alone(seed):
        for epoch in range(epochs):
            loss = _epoch(model.train(), data, optimiser, shift)
            schedule.step()
            if on_progress is not None:
                on_progress(epoch + 1, epochs, loss)
    return model.eval()


def trained_lenet5(seed: int = 0, epochs: int = 10, on_progress: Progress | None = None) -> nn.Module:
    """LeNet-5 trained on the 3,000 training images of the built-in MNIST split of that seed."""
    with _alone(seed):
        model = lenet5()
    return train(model, split(load_dataset("mnist"), seed).train, epochs, seed, on_progress, shift=1)


@cache
def trained_residual(seed: int = 0, epochs: int = 6) -> nn.Module:
    """The residual network for Fashion-MNIST, trained on the 4,286 training images of that seed's split.

    About a minute of one processor core, once in a process; don't change what is returned. Raises DataError where
    Fashion-MNIST isn't installed.
    """
    with _alone(seed):
        model = residual_fashion()
    return train(model, split(load_dataset("fashion-mnist"), seed).train, epochs, seed, learning_rate=4e-3)


def accuracy(model: nn.Module, data: Data) -> float:
    """The share of samples whose largest output is at the label."""
    with torch.no_grad():
        return float((model.eval()(*data.inputs).argmax(1) == data.labels).float().mean())


def _epoch(model: nn.Module, data: Data, optimiser: torch.optim.Optimizer, shift: int, batch: int = 64) -> float:
    losses = []
    for index in torch.randperm(len(data)).split(batch):
        some = data.take(index)
        inputs = (_moved(some.inputs[0], shift), *some.inputs[1:]) if shift else some.inputs
        assert some.labels is not None
        loss = F.cross_entropy(model(*inputs), some.labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


def _moved(images: Tensor, shift: int) -> Tensor:
    """Images `[n, C, H, W]`, all moved by the same random offset, zeros coming in."""
    down, right = (int(torch.randint(0, 2 * shift + 1, ())) for _ in range(2))
    return F.pad(images, [shift] * 4)[:, :, down : down + images.shape[2], right : right + images.shape[3]]


@contextmanager
def _alone(seed: int) -> Iterator[None]:
    """One thread and random numbers of its own; both are as before afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)

"""The example networks are what they say, and learn."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import nn

from examples.networks import depthwise_digits, digits_cnn, lenet5, residual_digits, residual_fashion
from examples.train import accuracy, train, trained_lenet5, trained_residual
from search.data import load_dataset
from search.datasets.builtin import FASHION
from search.splits import split
from tests.needs import missing

DIGITS = split(load_dataset("digits"), 0)


def test_lenet5_is_the_surveys() -> None:
    """431,080 parameters."""
    model = lenet5()
    assert sum(p.numel() for p in model.parameters()) == 431_080
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize(
    ("make", "least"),
    [(digits_cnn, 0.95), (residual_digits, 0.95), (depthwise_digits, 0.85)],
    ids=lambda x: str(x)[:20],
)
def test_small_networks_learn_the_digits(make: Callable[[], nn.Module], least: float) -> None:
    """In six epochs, to the accuracy that their size allows."""
    torch.manual_seed(0)
    assert accuracy(train(make(), DIGITS.train, epochs=6), DIGITS.report) >= least


@pytest.mark.parametrize("make", [residual_digits, depthwise_digits])
def test_both_image_sizes_fit(make: Callable[[], nn.Module]) -> None:
    """8 x 8 and 28 x 28."""
    model = make().eval()
    assert model(torch.zeros(2, 1, 8, 8)).shape == model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_training_depends_on_the_seed_alone() -> None:
    """The same seed gives the same weights, whatever random numbers were drawn elsewhere; progress is told."""
    seen: list[tuple[int, int]] = []
    start = digits_cnn()
    trained = []
    for seed in (1, 1, 2):
        torch.rand(7)
        model = train(
            deepcopy(start), DIGITS.train, 1, seed, lambda done, total, loss: seen.append((done, total)), shift=1
        )
        trained.append(torch.cat([p.flatten() for p in model.parameters()]))
    assert torch.equal(trained[0], trained[1])
    assert not torch.equal(trained[0], trained[2])
    assert seen == [(1, 1)] * 3


def test_lenet5_reaches_its_accuracy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """3,000 images are enough for 96.5 % of the images that it hasn't seen."""
    monkeypatch.setenv("FITWRIGHT_HOME", str(tmp_path))
    assert accuracy(trained_lenet5(0), split(load_dataset("mnist"), 0).report) >= 0.965


def test_the_residual_network_for_fashion_is_the_size_that_it_says() -> None:
    """68,642 parameters at its usual width, and 28 x 28 images."""
    model = residual_fashion()
    assert sum(p.numel() for p in model.parameters()) == 68_642
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.slow
def test_the_residual_network_reaches_its_accuracy() -> None:
    """4,286 images of clothes are enough for 84 % of the 2,000 that it hasn't seen."""
    if not FASHION.is_dir():
        missing("Fashion-MNIST", "dataset-fashion-mnist")
    assert accuracy(trained_residual(), split(load_dataset("fashion-mnist"), 0).report) >= 0.84

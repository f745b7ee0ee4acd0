"""Quantisation of trained networks, on scikit-learn's digits."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from examples.networks import DigitsCNN
from examples.train import train
from hwmodels.onnx_runtime import session
from methods.base import Data
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.onnx_out.export import export
from methods.quantization import Quantization
from methods.recovery.fine_tuning import FineTuning
from search.data import load_dataset
from search.splits import split

torch.set_num_threads(1)
SPLITS = split(load_dataset("digits"), 0)
CALIBRATION = Data(SPLITS.train.inputs).head(256)


def separable(width: int = 16) -> nn.Module:
    """Depthwise and pointwise convolutions with batch normalisation, as in MobileNet v1."""

    def block(a: int, b: int) -> list[nn.Module]:
        kernel = nn.Conv2d(a, a, 3, padding=1, groups=a, bias=False)
        mix = nn.Conv2d(a, b, 1, bias=False)
        return [kernel, nn.BatchNorm2d(a), nn.ReLU(), mix, nn.BatchNorm2d(b), nn.ReLU()]

    first = [nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    body = [*first, *block(width, 2 * width), nn.MaxPool2d(2), *block(2 * width, 4 * width)]
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, 10))


@cache
def trained(name: str) -> Graph:
    """A network trained on the training split."""
    torch.manual_seed(0)
    model = separable() if name == "separable" else DigitsCNN(int(name))
    train(model, SPLITS.train, 12)
    return capture(model, SPLITS.train.inputs[0][:1])


def quantised(graph: Graph, word: str, **settings: object) -> Graph:
    """Every layer in this word, calibrated on 256 samples without labels."""
    sites = dict.fromkeys((use.site for use in graph.weight_uses()), word)
    return Quantization(**settings).apply(graph, sites, CALIBRATION)  # type: ignore[arg-type]


def accuracy(graph: Graph) -> float:
    with torch.no_grad():
        scores = graph(*SPLITS.report.inputs)[0]
    labels = SPLITS.report.labels
    assert labels is not None
    return float((scores.argmax(1) == labels).float().mean())


@pytest.mark.slow
@pytest.mark.seed("ptq")
@pytest.mark.parametrize("observer", ["min-max", "percentile", "mse", "entropy", "moving-average"])
def test_eight_bits_cost_nothing_and_no_gradient(observer: str) -> None:
    """Within 0.5 per cent of the floats' accuracy, on 256 samples without labels."""
    graph = trained("16")
    small = quantised(graph, "int8", observer=observer, percentile=99.9)
    assert accuracy(small) >= accuracy(graph) - 0.005
    assert all(p.grad is None for g in (graph, small) for p in g.module.parameters())


@pytest.mark.slow
@pytest.mark.seed("per-channel-asymmetric")
def test_a_depthwise_network_keeps_its_accuracy_in_eight_bits() -> None:
    """Within one per cent, scales and zero points per channel."""
    graph = trained("separable")
    assert accuracy(quantised(graph, "int8", symmetric=False)) >= accuracy(graph) - 0.01


@pytest.mark.slow
@pytest.mark.seed("qat")
@pytest.mark.parametrize("learn_steps", [False, True])
def test_training_in_four_bits_beats_rounding_to_them(learn_steps: bool) -> None:
    """By more than one per cent, on a narrow network."""
    graph = trained("6")
    rounded = quantised(graph, "w4a4", learn_steps=learn_steps)
    refined = FineTuning(epochs=6).recover(rounded, graph, SPLITS.train, 0)
    assert accuracy(refined) > accuracy(rounded) + 0.01


@pytest.mark.slow
@pytest.mark.seed("qat")
@pytest.mark.parametrize("learn_steps", [False, True])
def test_what_was_trained_is_what_the_integer_model_computes(learn_steps: bool) -> None:
    """Four-bit weights, eight-bit activations: every score within one of the 255 steps of their range."""
    graph = trained("6")
    rounded = quantised(graph, "w4a8", learn_steps=learn_steps)
    refined = FineTuning(epochs=3).recover(rounded, graph, SPLITS.train, 0)
    opened = session(export(refined))
    (images,) = SPLITS.report.inputs
    (found,) = opened.run(None, {opened.get_inputs()[0].name: images.numpy()})
    with torch.no_grad():
        wanted = refined(images)[0].numpy()
    assert np.abs(found - wanted).max() <= (wanted.max() - wanted.min()) / 255


@pytest.mark.slow
def test_corrected_biases_win_back_what_two_bits_lose() -> None:
    """Weights in two bits, without any training: at least ten per cent more."""
    graph = trained("16")
    raw, corrected = (accuracy(quantised(graph, "w2", bias_correction=each)) for each in (False, True))
    assert corrected > raw + 0.1

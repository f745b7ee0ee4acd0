"""Networks as our own exporter writes them, run by LiteRT."""

from __future__ import annotations

import pytest
import torch

from hwmodels.device import Device
from hwmodels.profilers.tflite.convert import convert
from methods.base import Data
from methods.graph.intake.capture import capture
from methods.graph.onnx_out.export import export
from methods.quantization import Quantization
from tests.hwmodels.tflite_runs import error
from tests.zoo.catalogue import network

DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9, "int8": 4e9}, {}, ())

NETWORKS = (
    "plain",
    "resnet_basic",
    "dense",
    "shuffle",
    "mobilenet_v3",
    "transformer",
    "gpt",
    "temporal",
    "unet_bilinear",
    "unet_transposed",
    "super_resolution",
)


@pytest.mark.parametrize("name", NETWORKS)
def test_exported_networks_compute_the_same(name: str) -> None:
    """Images, words and sequences, to float32's accuracy."""
    torch.manual_seed(0)
    assert error(export(capture(*network(name))), batch=2) < 1e-4


@pytest.mark.parametrize("name", ["residual", "dense", "transformer"])
def test_quantised_networks_compute_the_same(name: str) -> None:
    """Layers in codes, what lies between in floats."""
    torch.manual_seed(0)
    graph = capture(*network(name))
    choices = dict.fromkeys(Quantization().space(graph, DEVICE).sites, "int8")
    program = export(Quantization().apply(graph, choices, Data(graph.example(32))))
    types = {operator.outputs[0].dtype for operator in convert(program, 1).operators if "CONNECTED" in operator.code}
    assert error(program) < 0.02
    assert name != "transformer" or "int8" in types

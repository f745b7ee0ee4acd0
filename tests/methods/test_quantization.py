"""Quantisation."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import fx

from hwmodels.device import Device
from methods.base import Data, MethodError
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.onnx_out.export import check_export, export
from methods.graph.ops import kind_of
from methods.graph.surgery.edit import difference
from methods.graph.values import value_of
from methods.quantization import Quantization
from methods.weight_sharing import WeightSharing
from tests.zoo.catalogue import network

DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9, "int8": 4e9}, {}, ())


def quantised(name: str, **settings: float) -> tuple[Graph, Graph, Data]:
    """A network, all of its layers in int8, and the samples that it was calibrated on."""
    graph = capture(*network(name))
    data = Data(graph.example(32))
    method = Quantization(**settings)  # type: ignore[arg-type]
    return graph, method.apply(graph, method_choices(graph), data), data


def method_choices(graph: Graph) -> dict[str, str]:
    return dict.fromkeys(Quantization().space(graph, DEVICE).sites, "int8")


def quantisers(graph: Graph) -> list[fx.Node]:
    """The quantisers of activations."""
    return [n for n in graph.nodes if kind_of(n.target) == "quantize" and len(n.args) == 5]


@pytest.mark.parametrize("name", ["plain", "residual", "depthwise", "dense", "transformer"])
def test_eight_bits_change_little_and_run_as_integers(name: str) -> None:
    """A few per cent of the largest output at most, and onnxruntime's integer kernels agree."""
    graph, small, data = quantised(name)
    assert difference(graph, small, data.inputs) < 0.08
    assert check_export(small, export(small)) < 0.03


@pytest.mark.parametrize("name", ["plain", "residual", "depthwise"])
def test_every_layer_reads_and_writes_codes(name: str) -> None:
    """Input and weight come straight from a quantiser, outputs go to one or to an activation; scores stay exact."""
    _, small, _ = quantised(name)
    for use in small.weight_uses():
        assert [kind_of(a.target) for a in use.node.args[:2]] == ["quantize", "quantize"]
        readers = {kind_of(u.target) for u in use.node.users}
        assert readers <= {"quantize", "unary"} or {u.op for u in use.node.users} == {"output"}
    assert not any("batch_norm" in str(n.target) for n in small.nodes)


def test_values_that_are_only_moved_keep_their_codes() -> None:
    """Behind max-pooling and a view stands the same quantiser again; one value never gets two."""
    _, small, _ = quantised("plain")
    pooled = next(n for n in small.nodes if "max_pool" in str(n.target))
    before, after = pooled.args[0], next(n for n in quantisers(small) if "view" in str(n.args[0]))
    assert before.args[1:] == after.args[1:]
    assert all(sum(u in quantisers(small) for u in n.users) <= 1 for n in small.nodes)


def test_percentiles_narrow_the_range() -> None:
    """One wild sample widens the codes of min-max calibration; 99 per cent ignore it."""
    graph = capture(*network("plain"))
    (images,) = graph.example(64)
    images[0, 0, 0, 0] = 1000.0
    found = [Quantization(percentile=p).apply(graph, {"weight:conv1": "int8"}, Data((images,))) for p in (100.0, 99.0)]
    widest, narrow = (next(n for n in quantisers(g) if n.args[0].op == "placeholder").args[1] for g in found)
    assert widest == pytest.approx(1000 / 255, rel=0.02)
    assert narrow < 0.05


def test_weights_lie_on_the_codes_of_their_channel() -> None:
    """Batch normalisation folded in; a shared weight too, whose file keeps the codebook."""
    graph = capture(*network("residual"))
    data, sites = Data(graph.example(16)), {"weight:conv1": "int8", "weight:conv2": "int8"}
    shared = WeightSharing().apply(graph, {"weight:conv2": 4}, data)
    small = Quantization().apply(shared, sites, data)
    assert "conv2.weight.codebook" in dict(small.module.named_parameters())
    for use in (u for u in small.weight_uses() if u.site in sites):
        scale = small.tensor(f"{use.weight.removesuffix('.codebook')}_scale").view(-1, 1, 1, 1)
        codes = value_of(small, use.node.args[1]) / scale
        torch.testing.assert_close(codes, codes.round(), atol=1e-3, rtol=0)
        assert float(codes.abs().max()) == pytest.approx(127, abs=1e-3)
    assert difference(shared, small, data.inputs) < 0.05


def test_gradients_pass_and_scales_stay() -> None:
    """Training sees through the rounding, and has nothing of the quantisers to change."""
    _, small, data = quantised("plain")
    small(*data.inputs)[0].square().sum().backward()
    assert float(small.tensor("conv1.weight").grad.abs().sum()) > 0
    assert not any("scale" in name for name, _ in small.module.named_parameters())


def test_a_device_without_int8_is_offered_none() -> None:
    """The space is empty there."""
    graph = capture(*network("plain"))
    assert not Quantization().space(graph, replace(DEVICE, macs_per_s={"fp32": 1e9})).sites


def test_samples_are_needed_and_must_be_finite() -> None:
    """Without them no ranges; with not-a-number the value is named."""
    graph = capture(*network("plain"))
    (images,) = graph.example(4)
    with pytest.raises(MethodError, match="needs samples"):
        Quantization().apply(graph, {"weight:fc1": "int8"}, Data((images[:0],)))
    images[1] = float("nan")
    with pytest.raises(MethodError, match=r"activations of view .*not a finite number"):
        Quantization().apply(graph, {"weight:fc1": "int8"}, Data((images,)))

"""Binary weights and inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from hwmodels.device import Device
from methods.base import Data, MethodError
from methods.binary import Binary
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.onnx_out.export import check_export, export
from methods.graph.values import value_of
from methods.numerics.signs import masked_sign_product, pack_flags, pack_signs
from tests.zoo.catalogue import network

NONE = Data((torch.zeros(0),))
DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9}, {}, ())


def one_layer(layer: nn.Module, shape: tuple[int, ...]) -> tuple[Graph, Graph]:
    """A network of one layer, and the same with binary weights and inputs."""
    graph = capture(nn.Sequential(layer), (torch.randn(shape),))
    return graph, Binary().apply(graph, {"weight:0": "xnor"}, NONE)


@pytest.mark.seed("xnor-net")
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (1, 1)])
def test_a_layer_equals_xnor_and_popcount(stride: int, padding: int) -> None:
    """Bits alone, times alpha and K, plus the bias; padding counts for nothing."""
    layer = nn.Conv2d(3, 5, 3, stride, padding)
    graph, small = one_layer(layer, (2, 3, 8, 8))
    (x,) = graph.example(2, seed=3)
    columns, there = (functional.unfold(t, 3, padding=padding, stride=stride) for t in (x, torch.ones_like(x)))
    bits, valid = (t.transpose(1, 2).reshape(-1, 27).numpy() for t in (columns, there))
    weight = layer.weight.detach().reshape(5, -1)
    product = masked_sign_product(pack_signs(bits), pack_signs(weight.numpy()), pack_flags(valid > 0))
    scale = functional.conv2d(x.abs().mean(1, keepdim=True), torch.full((1, 1, 3, 3), 1 / 9), None, stride, padding)
    expected = torch.from_numpy(product.astype(np.float32)) * weight.abs().mean(1)
    found = small(x)[0].permute(0, 2, 3, 1).reshape(-1, 5)
    torch.testing.assert_close(found, expected * scale.reshape(-1, 1) + layer.bias, rtol=1e-4, atol=1e-5)


@pytest.mark.seed("xnor-net")
def test_values_are_signs_times_a_scale() -> None:
    """Inputs of the layer -1 and 1, zero counting as positive; weights two numbers of one size for each channel."""
    graph, small = one_layer(nn.Linear(6, 4), (3, 6))
    use = next(small.weight_uses())
    weight = value_of(small, use.node.args[1])
    assert all(len(row.abs().unique()) == 1 for row in weight)
    x = torch.tensor([[0.0, -0.0, 3.0, -3.0, 1e-30, -1e-30]])
    signs = torch.tensor([1.0, 1.0, 1.0, -1.0, 1.0, -1.0])
    expected = (weight @ signs) * x.abs().mean() + graph.tensor("0.bias")
    torch.testing.assert_close(small(x)[0][0], expected)


def test_gradients_stop_where_inputs_are_larger_than_one() -> None:
    """The straight-through gradient of the sign, cancelled outside; the scale K gives each input its share."""
    _, small = one_layer(nn.Linear(4, 3, bias=False), (2, 4))
    x = torch.tensor([[0.5, -0.9, 1.5, -2.0]], requires_grad=True)
    small(x)[0].sum().backward()
    weight = value_of(small, next(small.weight_uses()).node.args[1]).sum(0)
    through_scale = (weight @ x.detach()[0].sign()) * x.detach()[0].sign() / 4
    straight = torch.where(x.detach()[0].abs() <= 1, weight * x.detach().abs().mean(), 0.0)
    torch.testing.assert_close(x.grad[0], straight + through_scale)  # type: ignore[index]


def test_an_activation_without_negative_numbers_is_left_out() -> None:
    """Signs of what a ReLU and a pooling let through would all be +1: the layer reads what went into them."""
    body = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 3, 3))
    graph = capture(body.eval(), (torch.randn(2, 2, 12, 12),))
    small = Binary().apply(graph, {"weight:4": "xnor"}, NONE)
    (x,) = graph.example(2)
    before = functional.max_pool2d(body[1](body[0](x)), 2)
    weight = Binary().project(graph.tensor("4.weight").detach(), "binary")
    scale = functional.avg_pool2d(before.abs().mean(1, keepdim=True), 3, 1)
    expected = functional.conv2d(torch.where(before >= 0, 1.0, -1.0), weight) * scale + body[4].bias.view(-1, 1, 1)
    torch.testing.assert_close(small(x)[0], expected, rtol=1e-4, atol=1e-5)
    assert check_export(small, export(small)) < 1e-4


@pytest.mark.parametrize(
    ("front", "layer", "reason"),
    [
        (nn.Sigmoid(), nn.Conv2d(4, 4, 3), "never negative.*batch normalisation"),
        (nn.Identity(), nn.Conv2d(4, 4, 3, groups=2), "groups"),
        (nn.Identity(), nn.Conv2d(4, 4, 3, dilation=2), "dilated"),
    ],
)
def test_layers_that_can_not_read_signs_are_refused(front: nn.Module, layer: nn.Module, reason: str) -> None:
    """And not offered; binary weights they can have."""
    graph = capture(nn.Sequential(front, layer), (torch.randn(2, 4, 8, 8),))
    with pytest.raises(MethodError, match=f"weight:1.*{reason}"):
        Binary().apply(graph, {"weight:1": "xnor"}, NONE)
    assert Binary(ends=True).space(graph, DEVICE).sites["weight:1"] == ("fp32", "binary")


@pytest.mark.parametrize(("scale", "size"), [("one", 1.0), ("fan-in", (2 / 72) ** 0.5)])
def test_scales_that_no_weight_decides(scale: str, size: float) -> None:
    """One, and the standard deviation that the layer was initialised with: one bit a weight and nothing else."""
    graph = capture(*network("plain"))
    graph.set_tensor("conv2.weight", torch.randn(16, 8, 3, 3))
    small = Binary(scale=scale).apply(graph, {"weight:conv2": "binary"}, NONE)
    use = next(u for u in small.weight_uses() if u.site == "weight:conv2")
    torch.testing.assert_close(value_of(small, use.node.args[1]).abs().unique(), torch.tensor([size]))

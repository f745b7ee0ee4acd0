"""What is done to a graph beside rounding: equalisation, correction of biases, learned steps."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from methods.base import Data
from methods.graph.file import from_bytes, to_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.nodes import name_of
from methods.graph.observe import observe
from methods.graph.onnx_out.export import check_export, export
from methods.graph.surgery.edit import difference
from methods.graph.surgery.equalise import equalise, pairs_among
from methods.graph.surgery.quantisers import fold_norm
from methods.graph.surgery.settle import settled
from methods.quantization import Quantization
from tests.zoo.catalogue import network

LEARNED = "_fake_quantize_learnable_per_"


class Uneven(nn.Module):
    """Convolutions (one depthwise), pooling, linear layers; channels of the first differ a thousandfold in size."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(1, 6, 3), nn.Conv2d(6, 6, 3, groups=6), nn.Conv2d(6, 4, 1)
        self.d, self.e = nn.Linear(16, 8), nn.Linear(8, 3)
        factors = torch.logspace(-2, 1, 6)
        with torch.no_grad():
            self.a.weight *= factors.view(-1, 1, 1, 1)
            self.a.get_parameter("bias").mul_(factors)
            self.b.weight /= factors.view(-1, 1, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.b(torch.relu(self.a(x))))
        x = torch.max_pool2d(self.c(x), 2)
        scores: torch.Tensor = self.e(torch.relu(self.d(x.flatten(1))))
        return scores


def uneven() -> Graph:
    torch.manual_seed(0)
    return capture(Uneven().eval(), torch.randn(1, 1, 8, 8)).clone()


def means(graph: Graph, inputs: tuple[torch.Tensor, ...], names: list[str]) -> dict[str, torch.Tensor]:
    """Mean of each channel of these values."""
    seen = next(observe(graph, inputs, names, len(inputs[0])))
    return {n: v.mean([0, *range(2, v.dim())]) for n, v in seen.items()}


def test_equalising_changes_weights_and_no_output() -> None:
    """Through ReLU, pooling and a flatten, with a depthwise layer; neighbouring ranges meet."""
    graph, exact = uneven(), uneven()
    uses = list(graph.weight_uses())
    assert equalise(graph, uses) == 4
    assert difference(exact, graph, graph.example(8)) < 1e-5
    for first, second in pairwise(uses[:3]):
        above = graph.tensor(first.weight).flatten(1).abs().amax(1)
        weight = graph.tensor(second.weight)
        below = (weight if weight.shape[1] == 1 else weight.transpose(0, 1)).flatten(1).abs().amax(1)
        torch.testing.assert_close(above, below, rtol=0.02, atol=0)


@pytest.mark.parametrize("name", ["plain", "residual", "depthwise", "dense", "shuffle", "transformer"])
def test_equalising_any_network_keeps_its_outputs(name: str) -> None:
    """Whatever stands between its layers; branches, gates and clipped activations are left alone."""
    graph = capture(*network(name)).clone()
    uses = list(graph.weight_uses())
    for use in uses:
        fold_norm(graph, use)
    graph.module.recompile()
    exact = graph.clone()
    equalise(graph, uses)
    assert difference(exact, graph, graph.example(8)) < 1e-4


def test_a_linear_layer_over_a_transposed_sequence_is_no_partner() -> None:
    """Its inputs are places in time, not the first layer's channels."""

    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.b(self.a(x).transpose(1, 2))
            return out

    graph = capture(Mixed(), torch.randn(1, 4, 4))
    assert pairs_among(graph, list(graph.weight_uses())) == []


def test_one_scale_for_all_loses_less_after_equalising() -> None:
    """Eight bits per tensor on channels that differ a thousandfold."""
    graph = uneven()
    data, sites = Data(graph.example(32)), dict.fromkeys((u.site for u in graph.weight_uses()), "int8")
    losses = []
    for each in (False, True):
        small = Quantization(granularity="tensor", equalise=each).apply(graph, sites, data)
        losses.append(difference(graph, small, data.inputs))
    assert losses[1] < 0.5 * losses[0]


@pytest.mark.parametrize("name", ["plain", "residual", "transformer"])
def test_corrected_biases_give_each_channel_its_mean_back(name: str) -> None:
    """Of every layer, on the samples; without correction the means are off. No other tensor changes."""
    graph = capture(*network(name))
    data, sites = Data(graph.example(48)), dict.fromkeys((u.site for u in graph.weight_uses()), "w2")
    raw, corrected = (Quantization(bias_correction=each).apply(graph, sites, data) for each in (False, True))
    names = [u.node.name for u in raw.weight_uses() if "conv" in name_of(u.node) or name == "plain"]
    folded = Quantization().apply(graph, dict.fromkeys(sites, "w16"), data)
    wanted, off, found = (means(g, data.inputs, names) for g in (folded, raw, corrected))
    for node in names:
        gap = (found[node] - wanted[node]).abs().max()
        assert gap < 0.02 * (off[node] - wanted[node]).abs().max() + 1e-3
    for key, tensor in raw.module.state_dict().items():
        if not key.endswith("bias"):
            torch.testing.assert_close(tensor, corrected.module.state_dict()[key], rtol=0, atol=0)


@pytest.mark.parametrize("word", ["int8", "w4a4", "w2g4", "w3"])
def test_learned_steps_start_as_fixed_ones_and_train(word: str) -> None:
    """The same outputs; every step and weight gets a gradient; settled, stored and exported it is the same again."""
    graph = uneven()
    sites = {u.site: word for u in graph.weight_uses() if word != "w2g4" or u.site == "weight:d"}
    data = Data(graph.example(16))
    fixed, learned = (Quantization(learn_steps=each).apply(graph, sites, data) for each in (False, True))
    assert difference(fixed, learned, data.inputs) == 0.0
    learned(*data.inputs)[0].square().sum().backward()
    steps = {n: p for n, p in learned.module.named_parameters() if n.endswith("_step")}
    assert len(steps) >= len(sites)
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in steps.values())
    with torch.no_grad():
        for step in steps.values():
            step.mul_(1.1)
    assert not any(name_of(n).startswith(LEARNED) for n in settled(learned).nodes if n.op == "call_function")
    assert difference(learned, from_bytes(to_bytes(learned)), data.inputs) < 1e-5
    assert check_export(learned, export(learned)) < 0.02


def test_moved_values_share_one_learned_step() -> None:
    """Behind max-pooling and a view stands the same quantiser again, with the same parameter."""
    graph = capture(*network("plain"))
    sites = dict.fromkeys((u.site for u in graph.weight_uses()), "int8")
    small = Quantization(learn_steps=True).apply(graph, sites, Data(graph.example(8)))
    found = [n for n in small.nodes if name_of(n) == f"{LEARNED}tensor_affine"]
    scales = {n.args[1] for n in found}
    assert len(scales) < len(found)
    small.check()

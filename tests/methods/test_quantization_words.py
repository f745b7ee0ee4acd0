"""Quantisation by words: few bits, weights alone, groups, and the settings."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from hwmodels.device import Device
from methods.base import BadChoice, Data, MethodError
from methods.graph.file import from_bytes, to_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.nodes import name_of
from methods.graph.onnx_out.export import export
from methods.graph.surgery.edit import difference
from methods.graph.surgery.forms import mask_weight
from methods.graph.values import value_of
from methods.numerics.formats import FORMATS
from methods.numerics.rounding import rounded
from methods.quantization import Quantization
from methods.quantization_words import FLOATS, Word, read_word
from tests.zoo.catalogue import network

DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9, "int8": 4e9}, {}, ())
WORDS = ("int8", "w8", "w4", "w2", "w16", "w4a8", "w4a4", "w16a16", "w5a7")


def chosen(name: str, word: str, **settings: object) -> tuple[Graph, Graph, Data]:
    """A network of the zoo, all of its layers in this word, and the samples."""
    graph = capture(*network(name))
    data = Data(graph.example(16))
    sites = dict.fromkeys((use.site for use in graph.weight_uses()), word)
    return graph, Quantization(**settings).apply(graph, sites, data), data  # type: ignore[arg-type]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("name", ["plain", "depthwise"])
def test_a_weight_takes_no_more_values_than_its_bits_can_tell_apart(name: str, word: str) -> None:
    """Each output channel by itself; and the plan counts the bytes that the graph really takes."""
    graph, small, _ = chosen(name, word)
    bits = read_word("", "", word).weights  # type: ignore[union-attr]
    for use in small.weight_uses():
        rows = value_of(small, use.node.args[1]).flatten(1)
        assert max(len(row.unique()) for row in rows) <= 2**bits - 1
    method, choices = Quantization(), dict.fromkeys((u.site for u in graph.weight_uses()), word)
    planned = [made for op in lower(graph).ops for made in method.rewrite(op, choices)]
    real = [op.weights[0].bytes for op in lower(small).ops if op.site]
    assert [op.weights[0].bytes for op in planned if op.site] == real


@pytest.mark.parametrize("word", ["w8", "w4", "w2g3"])
def test_weights_alone_leave_activations_in_floats(word: str) -> None:
    """No quantiser of activations, and no samples needed; what a layer reads has 32 bits in the plan."""
    graph = capture(*network("plain"))
    sites = {"weight:conv2": word}
    small = Quantization().apply(graph, sites, Data((torch.zeros(0, 1, 12, 12),)))
    assert not any(name_of(n) == "fake_quantize_per_tensor_affine" for n in small.nodes)
    (op,) = (op for op in lower(small).ops if op.site == "weight:conv2")
    assert op.precision == "fp32"
    assert op.weights[0].bits < 32


@pytest.mark.parametrize("word", FLOATS)
def test_small_floats_are_rounded_as_by_the_format(word: str) -> None:
    """Each channel over its scale lies on numbers of the format, nearest to what it was; plan and file agree."""
    graph, small, data = chosen("plain", word)
    to = FORMATS[word]
    for old, new in zip(graph.weight_uses(), small.weight_uses(), strict=True):
        exact = value_of(graph, old.node.args[1]).flatten(1).double()
        scale = exact.abs().amax(1, keepdim=True) / to.largest
        wanted = scale * torch.from_numpy(rounded((exact / scale).numpy(), to))
        found = value_of(small, new.node.args[1]).flatten(1).double()
        assert ((found - wanted).abs() <= 1e-6 * exact.abs().max()).double().mean() > 0.999
        assert ((found - exact).abs() <= (wanted - exact).abs() + 1e-6).all()
    assert difference(small, from_bytes(to_bytes(small)), data.inputs) < 1e-5
    assert len(to_bytes(small)) < (0.2 + to.bits / 32) * len(to_bytes(graph))
    method, choices = Quantization(), dict.fromkeys((u.site for u in graph.weight_uses()), word)
    planned = [made for op in lower(graph).ops for made in method.rewrite(op, choices)]
    bits = [(op.weights[0].bytes, op.stored_bits) for op in planned if op.site]
    assert bits == [(op.weights[0].bytes, op.stored_bits) for op in lower(small).ops if op.site]


def test_more_bits_lose_less() -> None:
    """Weights alone, from two bits to sixteen, on a residual network."""
    losses = []
    for word in ("w2", "w4", "w8", "w16"):
        graph, small, data = chosen("residual", word)
        losses.append(difference(graph, small, data.inputs))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 1e-4


def test_groups_have_scales_of_their_own() -> None:
    """One for each 16 weights of an output; ragged groups are refused with those that fit."""
    torch.manual_seed(0)
    graph = capture(nn.Linear(48, 5), torch.randn(1, 48))
    site = next(iter(graph.weight_uses())).site
    small = Quantization().apply(graph, {site: "w4g16"}, Data(graph.example(2)))
    scales = next(t for name, t in small.module.named_buffers() if name.endswith("scale"))
    assert scales.shape == (15,)
    with pytest.raises(BadChoice, match=f"{site}: groups of 32 don't divide its 48 inputs; groups of .*24.* do"):
        Quantization().apply(graph, {site: "w4g32"}, Data(graph.example(2)))


@pytest.mark.parametrize("value", ["w1", "w9", "w4a1", "w4a32", "w4g1", "w4g", "W4", "int4", "a8", "fp16", 4, True])
def test_words_that_are_none_are_refused(value: object) -> None:
    """With the site and what is there to choose."""
    with pytest.raises(BadChoice, match=r"quantization at weight:fc1 takes fp32 .*int8 .*w4g32"):
        read_word("quantization", "weight:fc1", value)  # type: ignore[arg-type]
    assert read_word("", "", "w4a8g32") == Word(4, 8, 32)
    assert read_word("", "", "fp32") is None


@pytest.mark.parametrize(
    ("setting", "value"),
    [("observer", "auto"), ("weight_observer", "median"), ("granularity", "row"), ("percentile", 40.0), ("samples", 0)],
)
def test_settings_out_of_range_are_refused(setting: str, value: object) -> None:
    """Naming the setting."""
    with pytest.raises(BadChoice, match=f"{setting} must"):
        Quantization(**{setting: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("word", ["int8", "w4", "w2"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_zeros_of_a_mask_stay_zero(word: str, symmetric: bool) -> None:
    """Batch normalisation folded in, rounded, with zero points or without."""
    graph = capture(*network("residual")).clone()
    use = next(u for u in graph.weight_uses() if u.site == "weight:conv1")
    mask = torch.rand(graph.tensor(use.weight).shape, generator=torch.Generator().manual_seed(0)) < 0.5
    mask_weight(graph, use, mask)
    graph.module.recompile()
    small = Quantization(symmetric=symmetric).apply(graph, {use.site: word}, Data(graph.example(8)))
    weight = value_of(small, next(u for u in small.weight_uses() if u.site == use.site).node.args[1])
    assert (weight[~mask] == 0).all()
    assert (weight[mask] != 0).any()


@pytest.mark.parametrize("word", WORDS)
def test_one_sample_and_a_file_are_enough(word: str) -> None:
    """Calibrated on one sample; written and read again it computes the same."""
    graph = capture(*network("depthwise"))
    data = Data(graph.example(1))
    small = Quantization().apply(graph, dict.fromkeys((u.site for u in graph.weight_uses()), word), data)
    again = from_bytes(to_bytes(small))
    assert difference(small, again, graph.example(4)) < 1e-6


@pytest.mark.seed("integer-only-quant")
def test_files_get_four_times_smaller() -> None:
    """Of a layer of 128 kB, as our file and as exported."""
    graph = capture(nn.Sequential(nn.Linear(256, 128), nn.ReLU()), torch.randn(1, 256))
    site = next(iter(graph.weight_uses())).site
    small = Quantization().apply(graph, {site: "int8"}, Data(graph.example(8)))
    for write in (to_bytes, export):
        assert 3.5 < len(write(graph)) / len(write(small)) < 4.6


def test_storage_words_are_offered_on_request() -> None:
    """Behind int8, and on devices without it."""
    graph = capture(*network("plain"))
    floats = replace(DEVICE, macs_per_s={"fp32": 1e9})
    method = Quantization(storage_words=True)
    assert set(method.space(graph, DEVICE).sites.values()) == {("fp32", "int8", "w8", "w4", "w2")}
    assert set(method.space(graph, floats).sites.values()) == {("fp32", "w8", "w4", "w2")}
    assert set(Quantization().space(graph, DEVICE).sites.values()) == {("fp32", "int8")}


@pytest.mark.parametrize("word", ["fp32", "int8", "w4", "w2g4", "w16", "fp8-e4m3"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_projection_gives_the_weight_that_is_installed(word: str, symmetric: bool) -> None:
    """What alternating optimisation pulls towards is what is put on."""
    torch.manual_seed(0)
    graph = capture(nn.Sequential(nn.Linear(8, 6), nn.ReLU()), torch.randn(1, 8))
    use = next(iter(graph.weight_uses()))
    method = Quantization(symmetric=symmetric)
    small = method.apply(graph, {use.site: word}, Data(graph.example(4)))
    found = value_of(small, next(iter(small.weight_uses())).node.args[1])
    torch.testing.assert_close(method.project(graph.tensor(use.weight), word), found, atol=1e-6, rtol=0)


def test_broken_weights_are_named() -> None:
    """Not-a-number in one layer, for every kind of word."""
    graph = capture(*network("plain")).clone()
    graph.set_tensor("fc1.weight", graph.tensor("fc1.weight").detach() * float("nan"), trainable=True)
    for word in ("w4", "w2g4"):
        with pytest.raises(MethodError, match=r"the weight at weight:fc1 .*finite"):
            Quantization().apply(graph, {"weight:fc1": word}, Data(graph.example(4)))

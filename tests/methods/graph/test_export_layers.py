"""Export of layers: onnxruntime computes what torch computes, at batch sizes 1 and 3."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import randn

from methods.graph.onnx_out.export import check_export, export
from tests.methods.graph.one_op import Builder, In, one_op

CLOSE = 1e-4

Case = tuple[Any, ...]

CONVOLUTIONS: dict[str, Case] = {
    "1d": ("conv1d.default", In(3, 9), randn(4, 3, 3), randn(4), [2], [1], [2], 1),
    "2d grouped, without bias": ("conv2d.default", In(4, 9, 8), randn(6, 2, 3, 2), None, [2, 1], [1, 0], [1, 2], 2),
    "3d": ("conv3d.default", In(2, 5, 6, 7), randn(3, 2, 2, 3, 3), randn(3), [1], [1]),
    "a weight that is an input": ("conv2d.default", In(4, 6, 6), randn(2, 4, 1, 1)),
    "transposed 1d": ("conv_transpose1d.default", In(4, 6), randn(4, 3, 3), randn(3), [2], [1], [1], 1),
    "transposed 2d, grouped": ("conv_transpose2d.input", In(4, 5, 6), randn(4, 2, 3, 2), None, [3, 2], [1], [2, 0], 2),
    "transposed 3d": ("conv_transpose3d.input", In(2, 3, 4, 3), randn(2, 3, 2, 3, 2), randn(3), [2], [1], [1], 1, [2]),
    "linear": ("linear.default", In(6), randn(4, 6), randn(4)),
    "linear on sequences": ("linear.default", In(5, 6), randn(4, 6), randn(4)),
    "linear without bias": ("linear.default", In(5, 6), randn(4, 6)),
    "product of inputs": ("matmul.default", In(2, 3, 4), In(2, 4, 5)),
    "product with a vector": ("matmul.default", In(3, 4), randn(4)),
    "batched product": ("bmm.default", In(3, 4), In(4, 5)),
    "einsum": ("einsum.default", "b h i d, b h j d -> b h i j", [In(2, 3, 4), In(2, 5, 4)]),
    "einsum without a result": ("einsum.default", "bij,jk", [In(3, 4), randn(4, 5)]),
    "einsum with dots": ("einsum.default", "...ij,kj->...ki", [In(2, 3, 4), randn(5, 4)]),
}

VAR = torch.rand(4) + 0.5

NORMS: dict[str, Case] = {
    "batch, 2 axes": ("batch_norm.default", In(4), randn(4), randn(4), randn(4), VAR, False, 0.1, 1e-3, False),
    "batch, 3 axes": ("batch_norm.default", In(4, 5), None, None, randn(4), VAR, False, 0.1, 1e-5, False),
    "batch, 5 axes": ("batch_norm.default", In(4, 3, 2, 3), randn(4), None, randn(4), VAR, False, 0.1, 1e-5, False),
    "batch, its own": ("batch_norm.default", In(4, 5), randn(4), randn(4), None, None, True, 0.1, 1e-5, False),
    "layer": ("layer_norm.default", In(3, 4, 5), [4, 5], randn(4, 5), randn(4, 5), 1e-3),
    "layer without affine": ("layer_norm.default", In(3, 5), [5]),
    "layer without bias": ("layer_norm.default", In(3, 5), [5], randn(5)),
    "group": ("group_norm.default", In(6, 3, 4), 3, randn(6), randn(6), 1e-3),
    "group without affine": ("group_norm.default", In(6, 5), 2),
    "group without bias": ("group_norm.default", In(6), 2, randn(6)),
    "instance": ("instance_norm.default", In(4, 6), randn(4), randn(4), None, None, True, 0.1, 1e-3, False),
    "instance, plain": ("instance_norm.default", In(4, 3, 5), None, None, None, None, True, 0.1, 1e-5, False),
    "instance, kept": ("instance_norm.default", In(4, 6), None, None, randn(4), VAR, False, 0.1, 1e-5, False),
    "rms": ("rms_norm.default", In(3, 6), [6], randn(6), 1e-3),
    "rms without weight": ("rms_norm.default", In(3, 4, 2), [4, 2]),
}

Q, K = In(2, 4, 6), In(2, 5, 6)
SEEN = torch.tensor([[True, True, False, True, False]] * 3 + [[False] * 5])
SDPA = "scaled_dot_product_attention.default"

ATTENTION: dict[str, Case] = {
    "plain": (SDPA, Q, K, K),
    "three axes": (SDPA, In(4, 6), In(5, 6), In(5, 3)),
    "causal": (SDPA, Q, K, K, None, 0.0, True),
    "known truth mask with a blind row": (SDPA, Q, K, K, SEEN),
    "known number mask": (SDPA, Q, K, K, randn(4, 5)),
    "known number mask with a blind row": (SDPA, Q, K, K, torch.where(SEEN, 0.5, -torch.inf)),
    "truth mask from outside": (SDPA, Q, K, K, In(1, 4, 5, dtype="bool")),
    "number mask from outside": (SDPA, Q, K, K, In(2, 4, 5)),
}


FAKE = "fake_quantize_per_tensor_affine.default"
CODES = torch.zeros(4, dtype=torch.int32)
QUANTISERS: dict[str, Case] = {
    "bytes": (FAKE, In(4, 5), 0.02, 120, 0, 255),
    "signed bytes": (FAKE, In(4, 5), 0.03, -5, -128, 127),
    "four bits": (FAKE, In(4, 5), 0.3, 7, 0, 15),
    "per channel": ("fake_quantize_per_channel_affine.default", In(4, 5), VAR / 20, CODES + 3, 1, 0, 255),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_and_products(name: str) -> None:
    """Paddings, groups, steps, matrix products."""
    graph = one_op(*CONVOLUTIONS[name])
    assert check_export(graph, export(graph)) < CLOSE


@pytest.mark.parametrize("name", QUANTISERS)
def test_quantisers(name: str) -> None:
    """Codes of 8 bits as runtimes know them, others in steps."""
    graph = one_op(*QUANTISERS[name])
    assert check_export(graph, export(graph)) < CLOSE


@pytest.mark.parametrize("name", NORMS)
def test_normalisation(name: str) -> None:
    """Running statistics, and those of the sample."""
    graph = one_op(*NORMS[name])
    assert check_export(graph, export(graph)) < CLOSE


@pytest.mark.parametrize("name", ATTENTION)
def test_attention(name: str) -> None:
    """Masks of truth values and of numbers, rows that see nothing."""
    graph = one_op(*ATTENTION[name])
    assert check_export(graph, export(graph)) < CLOSE


@pytest.mark.parametrize("keys", [1, 2])
def test_attention_with_shared_keys(keys: int) -> None:
    """Four heads of queries read fewer heads of keys, at a scale of their own."""
    keyed = In(keys, 5, 6)
    graph = one_op(SDPA, In(4, 3, 6), keyed, keyed, None, 0.0, False, scale=0.3, enable_gqa=True)
    assert check_export(graph, export(graph)) < CLOSE


def weights(gates: int, layers: int, directions: int, biased: bool) -> list[torch.Tensor]:
    """The parameters of a recurrent network of 4 inputs and 3 hidden numbers, in torch's order."""
    torch.manual_seed(1)
    found = []
    for layer in range(layers):
        for _ in range(directions):
            width = 4 if layer == 0 else 3 * directions
            found += [randn(gates * 3, width), randn(gates * 3, 3), *([randn(gates * 3)] * 2 if biased else [])]
    return found


@pytest.mark.parametrize("name", ["lstm.input", "gru.input", "rnn_tanh.input", "rnn_relu.input"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("biased", [False, True])
def test_recurrent_layers(name: str, layers: int, directions: int, biased: bool) -> None:
    """Sequences come out as in torch, and so do the last states; the batch is the first axis."""
    gates = {"l": 4, "g": 3}.get(name[0], 1)
    start = torch.zeros(layers * directions, 1, 3)
    network = recurrent(name, start, weights(gates, layers, directions, biased), biased, layers, directions)
    assert check_export(network, export(network)) < CLOSE


def recurrent(name: str, start: Any, params: list[torch.Tensor], biased: bool, layers: int, directions: int) -> Any:
    """A recurrent network from the same state for every sample; states come out with the batch in front."""
    builder = Builder()
    x = In(5, 4)
    size = builder.call("sym_size.int", x, 0)
    begin = builder.call("expand.default", start, [layers * directions, size, 3])
    hx = [begin, begin] if name.startswith("lstm") else begin
    node = builder.call(name, x, hx, params, biased, layers, 0.0, False, directions == 2, True)
    first, *states = builder.pick(node, *range(3 if name.startswith("lstm") else 2))
    return builder.graph(first, *(builder.call("transpose.int", s, 0, 1) for s in states))


@pytest.mark.parametrize("name", ["lstm.input", "gru.input"])
def test_recurrent_layers_start_from_given_states(name: str) -> None:
    """Each layer and direction from its own part of the state."""
    start = randn(4, 1, 3)
    network = recurrent(name, start, weights(4 if name[0] == "l" else 3, 2, 2, True), True, 2, 2)
    assert check_export(network, export(network)) < CLOSE


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("biased", [False, True])
def test_lstm_with_projected_outputs(directions: int, biased: bool) -> None:
    """Two layers whose outputs are narrower than their states, step by step."""
    torch.manual_seed(2)
    params: list[torch.Tensor] = []
    for width in [4] * directions + [2 * directions] * directions:
        params += [randn(12, width), randn(12, 2), *([randn(12)] * 2 if biased else []), randn(2, 3)]
    builder = Builder()
    x = In(5, 4)
    size = builder.call("sym_size.int", x, 0)
    starts = [builder.call("expand.default", randn(2 * directions, 1, w), [-1, size, w]) for w in (2, 3)]
    node = builder.call("lstm.input", x, starts, params, biased, 2, 0.0, False, directions == 2, True)
    first, *states = builder.pick(node, 0, 1, 2)
    graph = builder.graph(first, *(builder.call("transpose.int", s, 0, 1) for s in states))
    assert check_export(graph, export(graph)) < CLOSE

"""Networks in the form in which runtimes are given them."""

from __future__ import annotations

from dataclasses import replace

import onnx
import pytest
import torch

from hwmodels.base import UnsupportedOp
from hwmodels.catalogue import device
from hwmodels.device import Device
from hwmodels.profilers.pt2 import read_pt2
from hwmodels.profilers.runtimes.inductor import built
from hwmodels.structure import structure, summary
from methods.base import Data
from methods.binary import Binary
from methods.graph.coupling.trace import couple
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.program import program_for, written_out
from methods.graph.surgery.edit import prune
from methods.quantization import Quantization
from methods.weight_sharing import WeightSharing
from tests.methods.graph.one_op import Builder, In
from tests.zoo.catalogue import network

ONNX, PT2 = device("local-onnxruntime"), device("local-inductor")


def largest_difference(graph: Graph, other: Graph | torch.fx.GraphModule, batch: int) -> float:
    """Over the outputs of both for the same inputs."""
    given = graph.example(batch)
    with torch.no_grad():
        pairs = zip(graph(*given), other(*given), strict=True)
    return max(float((a.double() - b.double()).abs().max()) for a, b in pairs)


@pytest.mark.parametrize("name", ["plain", "residual", "shuffle", "transformer", "recurrent"])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_program_computes_what_the_graph_computes(name: str, batch: int) -> None:
    """To rounding: what a runtime's process reads out of it are the same operators on the same weights."""
    graph = capture(*network(name))
    read, samples = built(program_for(graph, replace(PT2, batch=batch)))
    assert [tuple(s.shape) for s in samples] == [(batch, *spec.shape) for spec in graph.inputs]
    assert largest_difference(graph, read, batch) < 1e-6


def test_the_form_is_the_device_s() -> None:
    """ONNX for one, torch.export for the other."""
    graph = capture(*network("plain"))
    assert onnx.load_model_from_string(program_for(graph, ONNX)).graph.node
    assert read_pt2(program_for(graph, PT2)).calls


@pytest.mark.parametrize("chosen", [ONNX, PT2], ids=lambda d: d.form)
def test_a_structure_has_no_weights_but_widths(chosen: Device) -> None:
    """Trained differently it is the same network; one channel less makes another, and so does the batch."""
    torch.manual_seed(1)
    one, other = capture(*network("residual")), capture(*network("residual"))
    for name, value in list(other.module.named_parameters()):
        other.set_tensor(name, torch.randn_like(value))
    site, group = next(iter(couple(one).groups.items()))
    narrow = prune(one, {site: range(len(group) - 1)})
    texts = [structure(program_for(g, chosen), chosen) for g in (one, other, narrow)]
    assert texts[0] == texts[1] != texts[2]
    wide = replace(chosen, batch=8)
    assert structure(program_for(one, wide), wide) != texts[0]
    assert "fc" not in texts[0]
    assert len(summary(texts[0])) < 300


@pytest.mark.parametrize("form", ["shared", "rounded", "binary"])
def test_forms_of_weights_are_written_out(form: str) -> None:
    """Codebooks, steps and levels: no operator of theirs is left, the outputs stay."""
    graph = capture(*network("plain"))
    data = Data(graph.example(16))
    sites = list(dict.fromkeys(use.site for use in graph.weight_uses()))
    made = {
        "shared": lambda: WeightSharing().apply(graph, dict.fromkeys(sites, 4), data),
        "rounded": lambda: Quantization().apply(graph, dict.fromkeys(sites, "w4"), data),
        "binary": lambda: Binary().apply(graph, {sites[-1]: "binary"}, data),
    }[form]()
    read, _ = built(program_for(made, PT2))
    assert largest_difference(made, read, 1) < 1e-6
    targets = {str(n.target) for n in read.graph.nodes}
    assert not [t for t in targets if "quantize" in t or "snap" in t or "index" in t]
    assert written_out(made).parameter_count <= made.parameter_count


def test_rounded_activations_are_refused_by_name() -> None:
    """There are no integer kernels to run them: the node, the device and what would do are in the message."""
    graph = capture(*network("plain"))
    small = Quantization().apply(graph, {"weight:fc1": "int8"}, Data(graph.example(16)))
    with pytest.raises(UnsupportedOp, match=r"fake_quantize.* rounds activations, and local-inductor .*fp32"):
        program_for(small, PT2)
    assert program_for(small, ONNX)


def test_what_has_several_results_or_sizes_stays_as_it_is() -> None:
    """Pieces of a parameter are written out one by one."""
    builder = Builder()
    pieces = builder.pick(builder.call("chunk.default", torch.randn(2, 6), 2, 1), 0, 1)
    total = builder.call("add.Tensor", builder.call("linear.default", In(3), pieces[0]), 0.5)
    graph = builder.graph(builder.call("add.Tensor", total, builder.call("linear.default", In(3), pieces[1])))
    assert largest_difference(graph, written_out(graph), 2) < 1e-6
    assert largest_difference(graph, built(program_for(graph, PT2))[0], 1) < 1e-6

"""Export: onnxruntime computes what the graph computes, in valid files, or the reason is named."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from methods.graph.coupling.trace import couple
from methods.graph.intake.capture import capture
from methods.graph.onnx_out.check import difference
from methods.graph.onnx_out.emitter import Emitter
from methods.graph.onnx_out.export import ExportError, check_export, export
from methods.graph.onnx_out.ops import ALTERNATIVES, TRANSLATORS
from methods.graph.ops import KINDS
from methods.graph.surgery.edit import prune
from tests.methods.graph.one_op import Builder, In, one_op
from tests.zoo.catalogue import EXPORTABLE, network


@pytest.mark.parametrize("name", [*EXPORTABLE[:4], "recurrent"])
def test_onnxruntime_agrees(name: str) -> None:
    """Whole and pruned, at batch sizes 1 and 3, to rounding."""
    graph = capture(*network(name))
    pruned = prune(graph, {site: range(1 + len(g) // 2) for site, g in couple(graph).groups.items()})
    for candidate in (graph, pruned):
        assert check_export(candidate, export(candidate)) < 1e-5


def test_exported_files_are_valid_onnx_with_a_free_batch() -> None:
    """The official checker accepts the file; the first axis is called N."""
    model = onnx.load_from_string(export(capture(*network("residual"))))
    onnx.checker.check_model(model, full_check=True)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    assert model.graph.output[0].type.tensor_type.shape.dim[0].dim_param == "N"


def test_every_operator_has_a_translation() -> None:
    """But for the short list of those that are written only where their value is known beforehand."""
    names = {name for kind, names in KINDS.items() if kind != "size" for name in names}
    lacking = {n for n in names if n not in TRANSLATORS and n.split(".")[0] not in TRANSLATORS}
    assert {n.split(".")[0] for n in lacking} == set(ALTERNATIVES)


def test_operators_without_a_translation_are_named() -> None:
    """The message names the node, the operator, and what would do."""
    builder = Builder()
    size = builder.call("sym_size.int", In(3), 0)
    steps = builder.call("linspace.default", 0.0, 1.0, size)
    with pytest.raises(ExportError, match=r"linspace_default: operator linspace.default.*does not depend on the batch"):
        export(builder.graph(builder.call("unsqueeze.default", steps, 1)))


def test_what_depends_on_parameters_and_fixed_sizes_alone_is_folded() -> None:
    """A mask made from nothing becomes one constant; no node of its making is left."""
    builder = Builder()
    triangle = builder.call("tril.default", builder.call("ones.default", [4, 4]))
    hidden = builder.call("eq.Scalar", triangle, 0)
    made = builder.call("masked_fill.Scalar", In(4, 4), hidden, -1.0)
    model = onnx.load_from_string(export(builder.graph(made)))
    assert [n.op_type for n in model.graph.node] == ["Where", "Identity"]


def test_files_that_a_message_cannot_hold_are_refused() -> None:
    """The limit is named, and what would do."""
    emitter = Emitter(one_op("relu.default", In(3)))
    large = np.broadcast_to(np.float32(0), (600_000_000,))
    with pytest.raises(ExportError, match=r"more than 2\.15 GB.*quantise or prune"):
        emitter.constant(large)


def test_a_parameter_that_two_nodes_read_is_stored_once() -> None:
    """Also where each reads it through a node of its own."""
    graph = one_op("mul.Tensor", In(3, 40), torch.randn(3, 40))
    product = graph.nodes[-2]
    with graph.module.graph.inserting_before(product):
        again = graph.module.graph.get_attr(str(product.args[1].target))
    with graph.module.graph.inserting_after(product):
        total = graph.module.graph.call_function(torch.ops.aten.add.Tensor, (product, again))
    product.replace_all_uses_with(total, delete_user_cb=lambda user: user is not total)
    graph.module.recompile()
    model = onnx.load_from_string(export(graph))
    assert [len(t.dims) for t in model.graph.initializer] == [2]


def test_names_from_one_translation_never_meet_those_of_nodes() -> None:
    """Two silus and a node called as a step of theirs would be: every value is made once."""
    builder = Builder()
    first = builder.call("silu.default", In(3))
    second = builder.call("silu.default", first)
    model = onnx.load_from_string(export(builder.graph(builder.call("sigmoid.default", second))))
    made = [name for node in model.graph.node for name in node.output]
    assert len(made) == len(set(made))
    assert {"silu_default", "silu_default_1", "sigmoid_default"} <= set(made)


def test_the_check_names_the_output_that_differs() -> None:
    """By its type, its shape, or where it is not finite; whole numbers count as the share that differs."""
    ones, nan = np.ones((2, 3), np.float32), np.array([1, np.nan], np.float32)
    with pytest.raises(ExportError, match="output score is float32"):
        difference("score", ones.astype(np.int64), ones)
    with pytest.raises(ExportError, match="output score is not finite"):
        difference("score", nan, nan[::-1])
    assert difference("score", nan, nan) == 0
    assert difference("score", 2 * ones, ones) == 0.5
    assert difference("score", np.arange(4), np.array([0, 1, 2, 9])) == 0.25


def test_the_check_finds_another_network() -> None:
    """Other weights are told by the difference, and a file that is none by the runtime."""
    graph, other = (one_op("linear.default", In(3), torch.full((2, 3), value)) for value in (1.0, 2.0))
    assert check_export(graph, export(other)) > 0.5
    with pytest.raises(ExportError, match="onnxruntime refuses the file"):
        check_export(graph, b"no model")


def test_whole_numbers_pass_through_floats_where_runtimes_want_them() -> None:
    """The result is of the network's own type again."""
    graph = one_op("max_pool2d.default", In(2, 8, 6, dtype="int32", values=9), [2])
    assert check_export(graph, export(graph)) == 0

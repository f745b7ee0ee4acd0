"""Export of data movement and of values out of nothing, with a free batch in the shapes."""

from __future__ import annotations

from typing import Any

import onnx
import pytest
from torch import randn, tensor

from methods.graph.ir import Graph
from methods.graph.onnx_out.export import ExportError, check_export, export
from tests.methods.graph.one_op import Builder, In, one_op

CLOSE = 1e-4

Case = tuple[Any, ...]
X = In(3, 4, 5)
TRUTH = In(3, 4, dtype="bool")

MOVES: dict[str, Case] = {
    "permuted": ("permute.default", X, [0, 3, 1, 2]),
    "transposed": ("transpose.int", X, 1, -1),
    "axis moved": ("movedim.int", X, 1, -1),
    "axes moved": ("movedim.intlist", X, [1, 2], [3, 1]),
    "squeezed": ("squeeze.dims", In(1, 3, 1), [1, 3]),
    "unflattened": ("unflatten.int", In(12), 1, [3, -1]),
    "expanded": ("expand.default", In(3, 1, 5), [-1, -1, 4, -1]),
    "expanded in front": ("expand.default", In(3), [2, -1, 3]),
    "repeated": ("repeat.default", X, [1, 2, 1, 3]),
    "repeated in front": ("repeat.default", In(3), [1, 2, 2]),
    "tiled": ("tile.default", X, [2, 3]),
    "each repeated": ("repeat_interleave.self_int", X, 2, 1),
    "sample by sample repeated": ("repeat_interleave.self_int", X, 3, 0),
    "joined": ("cat.default", [X, X, randn(1, 3, 4, 5)], 0),
    "joined at the end": ("cat.default", [X, In(3, 4, 2)], -1),
    "joined, mixed types": ("cat.default", [In(3), In(3, dtype="int64", values=7)], 1),
    "stacked": ("stack.default", [X, X], -1),
    "sliced": ("slice.Tensor", X, 2, 1, -1),
    "sliced in steps": ("slice.Tensor", X, 3, None, None, 2),
    "slice of truths": ("slice.Tensor", TRUTH, 2, 0, 9223372036854775807),
    "selected": ("select.int", X, -1, -2),
    "narrowed": ("narrow.default", X, 3, 1, 3),
    "rolled": ("roll.default", X, [1, -2], [2, 3]),
    "rolled flat": ("roll.default", In(6), [2]),
    "rolled over the batch": ("roll.default", X, [1], [0]),
    "rolled further than the batch is long": ("roll.default", X, [4, 7], [0, 2]),
    "flipped": ("flip.default", X, [1, -1]),
    "a quarter turn": ("rot90.default", X, 1, [2, 3]),
    "three quarters": ("rot90.default", X, 3, [1, 3]),
    "half a turn": ("rot90.default", X, 2, [1, 2]),
    "windows": ("unfold.default", In(3, 9, 2), 2, 4, 2),
    "diagonal": ("diagonal.default", X, 1, 2, 3),
    "diagonal below": ("diagonal.default", X, -1, 2, 3),
    "pixels shuffled": ("pixel_shuffle.default", In(8, 3, 2), 2),
    "pixels shuffled, five axes": ("pixel_shuffle.default", In(2, 8, 3, 2), 2),
    "pixels gathered": ("pixel_unshuffle.default", In(2, 6, 4), 2),
    "channels shuffled": ("channel_shuffle.default", In(6, 3, 2), 3),
    "lower triangle": ("tril.default", In(4, 5), 1),
    "upper triangle of truths": ("triu.default", In(4, 4, dtype="bool"), -1),
}


@pytest.mark.parametrize("name", MOVES)
def test_movement(name: str) -> None:
    """Every number ends up where torch puts it."""
    graph = one_op(*MOVES[name])
    assert check_export(graph, export(graph)) < CLOSE


def merged() -> Graph:
    """Sequences folded into the batch and back, by sizes."""
    b = Builder()
    x = In(3, 4)
    size = b.call("sym_size.int", x, 0)
    flat = b.call("reshape.default", x, [b.call("operator.mul", size, 3), 4])
    made = b.call("linear.default", flat, randn(2, 4))
    return b.graph(b.call("view.default", made, [size, 3, 2]))


def two_free() -> Graph:
    """All samples against all, and two free axes in a reshape."""
    b = Builder()
    x = In(4)
    size = b.call("sym_size.int", x, 0)
    pairs = b.call("matmul.default", x, b.call("t.default", x))
    wide = b.call("reshape.default", b.call("cat.default", [pairs, pairs], 1), [size, 2, size])
    return b.graph(b.call("sum.dim_IntList", wide, [2]))


def last_of_each() -> Graph:
    """The entry that an input names, of each sample."""
    b = Builder()
    x, where = In(5, 2), In(dtype="int64", values=5)
    rows = b.call("arange.default", b.call("sym_size.int", x, 0))
    return b.graph(b.call("index.Tensor", x, [rows, where]))


def created() -> Graph:
    """Values of the batch's size out of nothing."""
    b = Builder()
    x = In(3)
    size = b.call("sym_size.int", x, 0)
    token = b.call("full.default", [size, 1], 2.5)
    other = b.call("zeros_like.default", x)
    steps = b.call("arange.start_step", 0, 6, 2)
    row = b.call("mul.Tensor", b.call("add.Tensor", other, steps), b.call("new_ones.default", x, [size, 3]))
    return b.graph(b.call("cat.default", [token, row], 1), b.call("eye.m", size, 3))


def averaged() -> Graph:
    """A sum divided by a number of samples, and one number of the whole batch."""
    b = Builder()
    x = In(3)
    share = b.call("div.Tensor", x, b.call("sym_size.int", x, 0))
    return b.graph(share, b.call("mul.Tensor", x, b.call("mean.default", x)))


def halved() -> Graph:
    """Two views of each sample as one batch, in one piece and cut in two."""
    b = Builder()
    x = In(3)
    both = b.call("cat.default", [x, b.call("neg.default", x)], 0)
    first, second = b.pick(b.call("chunk.default", both, 2), 0, 1)
    return b.graph(first, second)


def put() -> Graph:
    """Numbers written at the positions that an input names."""
    b = Builder()
    x, where = In(5, 2), In(dtype="int64", values=5)
    rows = b.call("arange.default", b.call("sym_size.int", x, 0))
    return b.graph(b.call("index_put.default", x, [rows, where], tensor([7.0, 8.0])))


def repeated_outputs() -> Graph:
    """An input, a parameter and the same value twice as outputs."""
    b = Builder()
    x = In(3)
    made = b.call("relu.default", x)
    fixed = b.call("expand.default", randn(1, 3), [b.call("sym_size.int", x, 0), 3])
    return b.graph(made, x, made, fixed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "network",
    [merged, two_free, last_of_each, created, averaged, halved, put, repeated_outputs],
    ids=lambda f: f.__name__,
)
def test_shapes_that_follow_the_batch(network: Any) -> None:
    """Sizes are read when the file runs."""
    graph = network()
    assert check_export(graph, export(graph)) < CLOSE


def test_names_of_inputs_and_outputs_may_clash_with_nodes() -> None:
    """A node called as an output is, and an output called as an input, still make a valid file."""
    graph = one_op("relu.default", In(3))
    graph.output_names = ("relu_default",)
    assert check_export(graph, export(graph)) < CLOSE
    graph.output_names = ("x0",)
    assert check_export(graph, export(graph)) < CLOSE


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (lambda: one_op("var.correction", In(3), [0]), r"var_correction.*aten.var.*free"),
        (lambda: one_op("sort.default", In(3), 0, picks=(0,)), r"aten.sort.*another axis"),
        (lambda: one_op("index.Tensor", In(3), [In(3, dtype="bool")]), r"index_tensor.*torch.where"),
    ],
)
def test_what_cannot_be_written_is_named(network: Any, words: str) -> None:
    """The node, its operator, and what would do instead."""
    with pytest.raises(ExportError, match=words):
        export(network())


def test_every_shape_of_a_file_is_torch_s_own() -> None:
    """Axes of the declared outputs are numbers or N."""
    model = onnx.load_from_string(export(created()))
    dims = [[d.dim_param or d.dim_value for d in o.type.tensor_type.shape.dim] for o in model.graph.output]
    assert dims == [["N", 4], ["N", 3]]
    assert [o.type.tensor_type.elem_type for o in model.graph.output] == [1, 1]
    onnx.checker.check_model(model, full_check=True)

"""Export of what goes along axes: reductions, order, look-ups and writes by position."""

from __future__ import annotations

from typing import Any

import pytest
from torch import randn, tensor

from methods.graph.onnx_out.export import check_export, export
from tests.methods.graph.one_op import In, one_op

CLOSE = 1e-4

Case = tuple[Any, ...]
X = In(3, 4, 5)
TRUTH = In(3, 4, dtype="bool")

REDUCTIONS: dict[str, Case] = {
    "mean of axes": ("mean.dim", X, [1, -1], True),
    "sum of truths": ("sum.dim_IntList", TRUTH, [1]),
    "product": ("prod.dim_int", X, 2),
    "largest": ("amax.default", X, [2, 3]),
    "smallest, kept": ("amin.default", X, [1], True),
    "place of the largest": ("argmax.default", X, 1),
    "place of the smallest": ("argmin.default", X, 2, True),
    "logsumexp": ("logsumexp.default", X, [1, 2]),
    "variance": ("var.correction", X, [1, 3]),
    "deviation": ("std.correction", X, [2]),
    "two-norm": ("linalg_vector_norm.default", X, 2, [1, 2]),
    "three-norm": ("linalg_vector_norm.default", X, 3, [1], True),
    "largest size": ("linalg_vector_norm.default", X, float("inf"), [1]),
    "how many": ("linalg_vector_norm.default", X, 0, [1]),
    "norm": ("norm.ScalarOpt_dim", X, 1, [1, 2], False),
    "any": ("any.dim", TRUTH, 1),
    "all": ("all.dims", TRUTH, [1, 2]),
    "softmax": ("softmax.int", X, 1),
    "log-softmax": ("log_softmax.int", X, -1),
    "sum so far": ("cumsum.default", X, 2),
    "truths counted so far": ("cumsum.default", TRUTH, 1),
    "product so far": ("cumprod.default", X, 3),
    "order": ("argsort.default", X, 2, True),
    "one hot": ("one_hot.default", In(3, dtype="int64", values=6), 6),
    "buckets": ("bucketize.Tensor", X, tensor([-1.0, 0.0, 0.5])),
    "buckets of whole numbers": ("bucketize.Tensor", In(3, dtype="int64", values=4), tensor([1, 2])),
}

WHERE = In(3, 2, 5, dtype="int64", values=3)
PLACE = In(2, dtype="int64", values=3)

LOOKUPS: dict[str, Case] = {
    "embedding": ("embedding.default", randn(9, 4), In(5, dtype="int64", values=9), 0),
    "embedding of 32 bits": ("embedding.default", randn(9, 4), In(5, dtype="int32", values=9)),
    "rows": ("index_select.default", X, 2, tensor([3, 0, 0])),
    "gathered": ("gather.default", X, 2, WHERE),
    "one index": ("index.Tensor", X, [None, tensor([[2, 0], [1, 1]])]),
    "two indices": ("index.Tensor", X, [None, None, tensor([0, 3]), tensor([4, -1])]),
    "indices apart": ("index.Tensor", X, [None, tensor([0, 2]), None, tensor([4, 1])]),
    "indices that broadcast": ("index.Tensor", X, [None, tensor([[0], [2]]), tensor([1, 3, 0])]),
    "a known mask": ("index.Tensor", In(4, 2), [None, tensor([True, False, True, True])]),
    "scattered": ("scatter.src", X, 2, WHERE, In(3, 2, 5)),
    "scattered number": ("scatter.value", X, 2, WHERE, 7.0),
    "added where": ("scatter_add.default", X, 2, WHERE, In(3, 4, 5)),
    "rows added": ("index_add.default", X, 2, tensor([0, 3, 0]), In(3, 3, 5)),
    "put along an axis": ("index_put.default", X, [None, tensor([0, 2])], tensor(7.0)),
    "put in the middle": ("index_put.default", X, [None, tensor([0, 2]), tensor([1, 3])], In(2, 5)),
    "added in the middle": ("index_put.default", X, [None, None, tensor([1, 1])], randn(5), True),
    "put apart": ("index_put.default", X, [None, tensor([0, 2]), None, tensor([1, 4])], randn(4)),
    "put under a mask": ("index_put.default", In(3, 4), [TRUTH], tensor(2.0)),
    "slice replaced": ("slice_scatter.default", X, In(3, 2, 5), 2, 1, 4, 2),
    "row replaced": ("select_scatter.default", X, In(3, 5), 2, 1),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name: str) -> None:
    """Over one axis and several, kept or not, in the type that torch gives."""
    graph = one_op(*REDUCTIONS[name])
    assert check_export(graph, export(graph)) < CLOSE


@pytest.mark.parametrize("name", LOOKUPS)
def test_lookups(name: str) -> None:
    """By known positions and by those that come in."""
    graph = one_op(*LOOKUPS[name])
    assert check_export(graph, export(graph)) < CLOSE


@pytest.mark.parametrize(
    "case",
    [
        ("split.Tensor", X, 2, 2, 2),
        ("split_with_sizes.default", X, [1, 4], 3, 2),
        ("chunk.default", X, 3, 3, 3),
        ("unbind.int", X, 1, 3),
        ("max.dim", X, 2, 2),
        ("min.dim", X, 1, True, 2),
        ("topk.default", X, 2, 3, 2),
        ("topk.default", X, 2, 2, False, 2),
        ("sort.default", X, 2, 2),
        ("var_mean.correction", X, [1, 2], 2),
        ("std_mean.correction", X, [3], 2),
    ],
    ids=lambda case: f"{case[0]} {case[2:]}",
)
def test_several_results(case: Case) -> None:
    """Each result comes out under its own name."""
    *arguments, count = case
    graph = one_op(*arguments, picks=tuple(range(count)))
    assert check_export(graph, export(graph)) < CLOSE

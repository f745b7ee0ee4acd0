"""Export of what lies between layers, number by number: functions, comparisons, types."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import randn, tensor

from methods.graph.onnx_out.export import check_export, export
from methods.graph.ops import KINDS
from tests.methods.graph.one_op import Builder, In, one_op

CLOSE = 1e-4

Case = tuple[Any, ...]
X, Y, POSITIVE = In(3, 4), In(3, 4), torch.rand(3, 4) + 0.5
WHOLE, OTHER, TRUTH, FALSE = (
    In(3, 4, dtype="int64", values=9),
    tensor([[3, -2, 5, 1]]),
    In(3, 4, dtype="bool"),
    In(1, 4, dtype="bool"),
)

SET = ["logical_not", "bitwise_not", "clamp", "clamp_min", "clamp_max", "threshold"]
PLAIN = [name for name in KINDS["unary"] if name.endswith(".default") and name.split(".")[0] not in SET]
PLAIN = [name for name in PLAIN if "dropout" not in name]

SETTINGS: dict[str, Case] = {
    "clamp to one side": ("clamp.default", X, None, 0.5),
    "clamp_min": ("clamp_min.default", X, 0.2),
    "clamp_max": ("clamp_max.default", X, 0.2),
    "clamp whole numbers": ("clamp.default", WHOLE, 2, 5),
    "clamp between tensors": ("clamp.Tensor", X, tensor(-0.5), Y),
    "hardtanh": ("hardtanh.default", X, -0.3, 0.4),
    "leaky": ("leaky_relu.default", X, 0.3),
    "elu": ("elu.default", X, 0.7, 1.5, 0.8),
    "celu": ("celu.default", X, 0.6),
    "softplus": ("softplus.default", X, 3.0, 10.0),
    "threshold": ("threshold.default", X, 0.1, -3.0),
    "rrelu": ("rrelu.default", X, 0.1, 0.5),
    "hardshrink": ("hardshrink.default", X, 0.8),
    "softshrink": ("softshrink.default", X, 0.8),
    "size of whole numbers": ("abs.default", WHOLE),
    "exp of whole numbers": ("exp.default", WHOLE),
    "not": ("logical_not.default", X),
    "not of truths": ("bitwise_not.default", TRUTH),
    "not of bits": ("bitwise_not.default", WHOLE),
    "is nan": ("isnan.default", X),
    "glu": ("glu.default", In(4, 3), 1),
    "glu of the last": ("glu.default", X),
    "to double": ("to.dtype", X, torch.float64),
    "to half": ("to.dtype", X, torch.float16),
    "to whole": ("to.dtype", X, torch.int64),
    "to int32": ("to.dtype", X, torch.int32),
    "to truth": ("to.dtype", WHOLE, torch.bool),
    "bytes to float": ("to.dtype", In(3, dtype="uint8", values=255), torch.float32),
    "whole to bytes": ("to.dtype", In(3, dtype="int64", values=600), torch.uint8),
    "round to a place": ("round.decimals", X),
}

PAIRS: dict[str, Case] = {
    "plus twice": ("add.Tensor", X, Y),
    "plus a number": ("add.Scalar", WHOLE, 3),
    "plus a fraction": ("add.Tensor", WHOLE, 0.5),
    "whole plus float": ("add.Tensor", WHOLE, X),
    "truth plus truth": ("add.Tensor", TRUTH, FALSE),
    "truth times float": ("mul.Tensor", X, TRUTH),
    "truth times truth": ("mul.Tensor", TRUTH, FALSE),
    "minus": ("sub.Tensor", WHOLE, OTHER),
    "from a number": ("rsub.Scalar", X, 2.0),
    "from a tensor": ("rsub.Tensor", X, Y),
    "ratio": ("div.Tensor", X, POSITIVE),
    "ratio of whole numbers": ("div.Tensor", WHOLE, OTHER),
    "ratio rounded down": ("div.Tensor_mode", X, POSITIVE),
    "whole ratio": ("floor_divide.default", WHOLE, OTHER),
    "rest of a float": ("remainder.Scalar", X, -0.7),
    "rest of whole numbers": ("remainder.Tensor", WHOLE, OTHER),
    "rest with its sign": ("fmod.Scalar", X, 0.7),
    "whole rest with its sign": ("fmod.Tensor", WHOLE, OTHER),
    "square": ("pow.Tensor_Scalar", X, 2),
    "cube": ("pow.Tensor_Scalar", X, 3),
    "root": ("pow.Tensor_Scalar", X, 0.5),
    "power of two": ("pow.Scalar", 2, WHOLE),
    "power": ("pow.Tensor_Tensor", POSITIVE, X),
    "angle": ("atan2.default", X, Y),
    "hypot": ("hypot.default", X, Y),
    "logaddexp": ("logaddexp.default", X, Y),
    "maximum": ("maximum.default", X, Y),
    "minimum of whole numbers": ("minimum.default", WHOLE, OTHER),
    "maximum of truths": ("maximum.default", TRUTH, FALSE),
    "fmax": ("fmax.default", X, tensor([1.0, float("nan"), 0.0, -1.0])),
    "fmin": ("fmin.default", X, tensor([1.0, float("nan"), 0.0, -1.0])),
    "equal": ("eq.Tensor", WHOLE, OTHER),
    "equal truths": ("eq.Tensor", TRUTH, FALSE),
    "other than": ("ne.Scalar", WHOLE, 3),
    "below a fraction": ("lt.Scalar", WHOLE, 2.5),
    "above": ("gt.Tensor", X, Y),
    "at least": ("ge.Scalar", X, 0),
    "at most": ("le.Tensor", X, WHOLE),
    "and": ("logical_and.default", X, TRUTH),
    "or": ("logical_or.default", TRUTH, FALSE),
    "xor": ("logical_xor.default", TRUTH, FALSE),
    "bits and": ("bitwise_and.Scalar", WHOLE, 6),
    "bits or": ("bitwise_or.Tensor", WHOLE, OTHER),
    "bits xor truths": ("bitwise_xor.Tensor", TRUTH, FALSE),
    "where": ("where.self", TRUTH, X, Y),
    "where numbers": ("where.Scalar", TRUTH, 2, 3),
    "where a number": ("where.ScalarOther", TRUTH, X, -1.0),
    "where, of truths": ("where.self", TRUTH, FALSE, tensor(True)),
    "where, mixed": ("where.self", TRUTH, WHOLE, X),
    "filled": ("masked_fill.Scalar", X, TRUTH, float("-inf")),
    "filled with a tensor": ("masked_fill.Tensor", X, FALSE, tensor(2.0)),
    "addcmul": ("addcmul.default", X, Y, randn(4)),
    "addcdiv": ("addcdiv.default", X, Y, POSITIVE),
    "lerp": ("lerp.Scalar", X, Y, 0.3),
    "lerp by a tensor": ("lerp.Tensor", X, Y, randn(4)),
    "prelu": ("prelu.default", In(4, 5), randn(4)),
    "prelu, one slope": ("prelu.default", In(4, 5), randn(1)),
    "prelu, two axes": ("prelu.default", In(4), randn(4)),
}


@pytest.mark.parametrize("name", PLAIN)
def test_functions_of_one_number(name: str) -> None:
    """All of them, at values where they are defined; not-a-number comes out in the same places."""
    graph = one_op(name, In(3, 4))
    assert check_export(graph, export(graph)) < CLOSE


@pytest.mark.parametrize("name", SETTINGS)
def test_functions_with_settings(name: str) -> None:
    """Their arguments, whole numbers, truth values and changes of type."""
    keywords = {"decimals": 1} if name == "round to a place" else {}
    graph = one_op(*SETTINGS[name], **keywords)
    assert check_export(graph, export(graph)) < CLOSE


@pytest.mark.parametrize("name", PAIRS)
def test_functions_of_several_tensors(name: str) -> None:
    """Broadcasting, and the type that torch gives the result."""
    keywords: dict[str, Any] = {"plus twice": {"alpha": 2}, "ratio rounded down": {"rounding_mode": "floor"}}.get(
        name, {}
    )
    graph = one_op(*PAIRS[name], **keywords)
    assert check_export(graph, export(graph)) < CLOSE


@pytest.mark.parametrize("mode", ["floor", "trunc"])
@pytest.mark.parametrize("divided", [X, WHOLE])
def test_division_that_rounds(mode: str, divided: In) -> None:
    """Down, or towards zero, for floats and for whole numbers of either sign."""
    graph = one_op("div.Tensor_mode", divided, tensor([3, -2, 5, -1]), rounding_mode=mode)
    assert check_export(graph, export(graph)) < CLOSE


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64"])
def test_parameters_of_other_float_types(kind: str) -> None:
    """Inputs, outputs and weights may be of 16 or 64 bits; inside, 32 bits are computed."""
    dtype = getattr(torch, kind)
    weight = randn(5, 40).to(dtype)
    builder = Builder()
    entry = builder.call("to.dtype", In(40), dtype)
    made = builder.call("linear.default", entry, weight, randn(5).to(dtype))
    graph = builder.graph(builder.call("to.dtype", made, torch.float32))
    assert check_export(graph, export(graph)) < (CLOSE if kind == "float64" else 0.02)


@pytest.mark.parametrize("kind", ["float16", "float64", "int32", "uint8", "bool"])
def test_inputs_and_outputs_keep_their_types(kind: str) -> None:
    """The file declares the types of the network."""
    graph = one_op("mul.Tensor", In(3, dtype=kind, values=5), In(3, dtype=kind, values=5))
    assert check_export(graph, export(graph)) < 2e-3

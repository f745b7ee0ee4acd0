"""Constants, and what files compute sizes with: Shape, Size, Range, ConstantOfShape."""

from __future__ import annotations

import torch

from methods.graph.onnx_in.op import Op
from methods.graph.onnx_in.tensors import to_torch
from methods.graph.onnx_in.values import PROBES, Value, constant


def known(op: Op) -> Value:
    """Constant in any of its spellings."""
    for name, value in op.attributes.items():
        if name == "value":
            return constant(to_torch(value, op.name), op.outputs[0])
        if name in ("value_float", "value_floats"):
            return constant(torch.tensor(value, dtype=torch.float32))
        if name in ("value_int", "value_ints"):
            return constant(torch.tensor(value, dtype=torch.int64).reshape(-1 if name[-1] == "s" else ()))
    raise op.bad("holds no numbers; use value, value_float(s) or value_int(s)")


def shape(op: Op) -> Value:
    first, second = (
        torch.tensor(list(p.shape)[op.integer("start") : op.attributes.get("end")], dtype=torch.int64)
        for p in op[0].probes
    )
    return constant(first) if torch.equal(first, second) else Value((first, second))


def count(op: Op) -> Value:
    first, second = (torch.tensor(p.numel()) for p in op[0].probes)
    return Value((first, second))


def filled(op: Op) -> Value:
    """ConstantOfShape."""
    sizes = op.sizes(0)
    held = to_torch(op.attributes["value"], op.name) if "value" in op.attributes else torch.zeros(1)
    if sizes is None or held.numel() != 1:
        raise op.bad("needs a shape and one number")
    small = constant(held.reshape([1] * len(sizes)))
    return op.b.expand(small, sizes) if sizes else constant(held.reshape(()))


def counted(op: Op) -> Value:
    """Range."""
    values = [op[i] for i in range(3)]
    if any(v.live for v in values):
        raise op.bad("its bounds depend on the network's input; make them fixed")
    ends = [[v.probes[n].item() for v in values] for n in range(len(PROBES))]
    if any(step == 0 or abs((stop - start) / step) > 1e8 for start, stop, step in ends):
        raise op.bad("its bounds make no range of at most 100 million numbers")
    first, second = (torch.arange(*e, dtype=values[0].dtype) for e in ends)
    return constant(first) if ends[0] == ends[1] else Value((first, second))

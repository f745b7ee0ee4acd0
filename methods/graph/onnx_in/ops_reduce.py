"""Sums, means and extremes along axes."""

from __future__ import annotations

from methods.graph.onnx_in.op import Op
from methods.graph.onnx_in.values import Value

PLAIN = {"ReduceMean": "mean.dim", "ReduceSum": "sum.dim_IntList", "ReduceMax": "amax.default"}
PLAIN |= {"ReduceMin": "amin.default", "ReduceLogSumExp": "logsumexp.default"}


def axes_of(op: Op) -> list[int] | None:
    """The axes that an operator reduces over; None for none at all."""
    axes = op.whole(1, "axes")
    if not axes:
        return None if op.integer("noop_with_empty_axes") else list(range(op[0].rank))
    return [op.position(axis, op[0].rank) for axis in axes]


def reduce(op: Op) -> Value:
    axes, keep = axes_of(op), bool(op.integer("keepdims", 1))
    return op[0] if axes is None else op.b.call(PLAIN[op.kind], op[0], axes, keep)


def product(op: Op) -> Value:
    axes, keep, value = axes_of(op), bool(op.integer("keepdims", 1)), op[0]
    for axis in sorted(axes or [], reverse=True):
        value = op.b.call("prod.dim_int", value, axis, keep)
    return value


def of_parts(op: Op) -> Value:
    """Reductions that are a sum of something."""
    axes, keep, value = axes_of(op) or [], bool(op.integer("keepdims", 1)), op[0]
    if op.kind == "ReduceL1":
        value = op.b.call("abs.default", value)
    elif op.kind in ("ReduceL2", "ReduceSumSquare"):
        value = op.b.call("mul.Tensor", value, value)
    made = op.b.call("sum.dim_IntList", value, axes, keep)
    if op.kind == "ReduceL2":
        return op.b.call("sqrt.default", made)
    return op.b.call("log.default", made) if op.kind == "ReduceLogSum" else made


def arg_extreme(op: Op) -> Value:
    if op.integer("select_last_index"):
        raise op.bad("select_last_index = 1 is not supported; the first of equal values is taken")
    name = "argmax.default" if op.kind == "ArgMax" else "argmin.default"
    axis = op.axis("axis", 0, op[0].rank)
    return op.b.call(name, op[0], axis, bool(op.integer("keepdims", 1)))

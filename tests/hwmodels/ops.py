"""Operators for tests, with shapes and counts filled in."""

from __future__ import annotations

from itertools import pairwise

from hwmodels.workload import Op, TensorSpec, Workload


def conv(
    name: str = "conv",
    *,
    inputs: int = 64,
    outputs: int = 64,
    kernel: int = 3,
    size: int = 56,
    source: int | None = None,
    groups: int = 1,
    batch: int = 1,
    bits: int = 8,
) -> Op:
    """A square convolution; `size` is the width of its output, `source` of its input (the same unless told)."""
    weight = TensorSpec((outputs, inputs // groups, kernel, kernel), bits)
    return Op(
        name=name,
        kind="conv",
        inputs=(TensorSpec((batch, inputs, source or size, source or size), bits),),
        outputs=(TensorSpec((batch, outputs, size, size), bits),),
        weights=(weight,),
        macs=batch * size * size * weight.elements,
        reads=(f"{name}.in",),
        writes=(f"{name}.out",),
        attributes=(("groups", str(groups)),),
    )


def linear(name: str = "linear", *, inputs: int = 800, outputs: int = 500, batch: int = 1, bits: int = 8) -> Op:
    return Op(
        name=name,
        kind="linear",
        inputs=(TensorSpec((batch, inputs), bits),),
        outputs=(TensorSpec((batch, outputs), bits),),
        weights=(TensorSpec((outputs, inputs), bits),),
        macs=batch * inputs * outputs,
        reads=(f"{name}.in",),
        writes=(f"{name}.out",),
    )


def matmul(name: str = "matmul", *, rows: int = 64, inner: int = 32, columns: int = 64, bits: int = 8) -> Op:
    return Op(
        name=name,
        kind="matmul",
        inputs=(TensorSpec((1, rows, inner), bits), TensorSpec((1, inner, columns), bits)),
        outputs=(TensorSpec((1, rows, columns), bits),),
        macs=rows * inner * columns,
        reads=(f"{name}.left", f"{name}.right"),
        writes=(f"{name}.out",),
    )


def plain(name: str, kind: str, shape: tuple[int, ...], *, bits: int = 8) -> Op:
    """An operator without weights that maps one activation to another of the same shape."""
    spec = TensorSpec(shape, bits)
    return Op(name, kind, (spec,), (spec,), reads=(f"{name}.in",), writes=(f"{name}.out",))


def chain(*ops: Op) -> Workload:
    """The operators one after another: each reads what the one before wrote."""
    names = ["input", *(op.name for op in ops)]
    linked = [
        Op(**(vars(op) | {"reads": (before,), "writes": (after,)})) for op, (before, after) in zip(ops, pairwise(names))
    ]
    return Workload(tuple(linked), ("input",), (names[-1],))

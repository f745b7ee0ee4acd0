"""Rows of operators that other exporters write for what tflite has as one."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

from hwmodels.profilers.tflite.program import Op, Program


def with_gelus(program: Program) -> Program:
    """The program with x/2 (1 + erf(x / sqrt 2)) written as Gelu."""
    made: dict[int, Op] = {}
    gone: set[int] = set()
    makers = {name: op for op in program.ops for name in op.outputs}
    for erf in program.ops:
        row = _gelu(program, makers, erf) if erf.kind == "Erf" else None
        if row is not None:
            made[id(row[-1])] = Op("Gelu", (makers[erf.inputs[0]].inputs[0],), row[-1].outputs, {})
            gone.update(map(id, row[:-1]))
    ops = tuple(made.get(id(op), op) for op in program.ops if id(op) not in gone)
    return replace(program, ops=ops) if made else program


def _gelu(program: Program, makers: dict[str, Op], erf: Op) -> list[Op] | None:
    """The operators behind Erf up to the product, the last of them; None where they are others."""
    inner = makers.get(erf.inputs[0])
    if inner is None or not _scaled(program, inner, 1 / sqrt(2)):
        return None
    x = inner.inputs[0]
    add = program.only_reader(erf.outputs[0])
    product = program.only_reader(add.outputs[0]) if add is not None else None
    if add is None or product is None or product.kind != "Mul" or _added(program, add, erf.outputs[0]) != 1.0:
        return None
    (other,) = [name for name in product.inputs if name != add.outputs[0]] or [""]
    if other == x:
        last = program.only_reader(product.outputs[0])
        return [erf, add, product, last] if last is not None and _scaled(program, last, 0.5) else None
    half = makers.get(other)
    return [erf, add, product] if half is not None and half.inputs[0] == x and _scaled(program, half, 0.5) else None


def _scaled(program: Program, op: Op, factor: float) -> bool:
    """Whether an operator is a product with a number."""
    number = program.constants.get(op.inputs[1]) if len(op.inputs) > 1 else None
    if op.kind not in ("Mul", "Div") or number is None or number.size != 1:
        return False
    value = float(number.item())
    return abs((value if op.kind == "Mul" else 1 / value) / factor - 1) < 1e-3


def _added(program: Program, op: Op, to: str) -> float | None:
    others = [program.constants.get(name) for name in op.inputs if name != to]
    number = others[0] if op.kind == "Add" and len(others) == 1 else None
    return float(number.item()) if number is not None and number.size == 1 else None

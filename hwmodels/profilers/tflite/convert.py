"""convert: an ONNX program becomes a tflite program that computes the same, for one batch.

Inputs and outputs with axes of space have their channels last where the network works on them so (`Model.last`).
"""

from __future__ import annotations

from hwmodels.base import HardwareModelError, UnsupportedOp
from hwmodels.profilers.tflite.fold import folded
from hwmodels.profilers.tflite.lower import LAST, PLAIN, Layout, Lowering, in_layout
from hwmodels.profilers.tflite.model import Model, Operator, Tensor
from hwmodels.profilers.tflite.patterns import with_gelus
from hwmodels.profilers.tflite.program import Op, Program, read
from hwmodels.profilers.tflite.table import TABLE

SPATIAL = frozenset({"Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "BatchNormalization"})


def convert(program: bytes, batch: int) -> Model:
    """Raises UnsupportedOp, naming the operator and its output, for what can't be written."""
    network = with_gelus(folded(read(program, batch)))
    low = Lowering(network)
    inputs = tuple(_enter(low, name) for name in network.inputs)
    for op in network.ops:
        if id(op) not in low.done:
            _write(low, op)
    layouts = [low.layout_of(name) for name in network.outputs]
    outputs = tuple(_leave(low, name, layout) for name, layout in zip(network.outputs, layouts))
    last = {t.name for t in inputs if len(t.shape) > 2 and low.forms[t.name].get((LAST, None)) is t}
    last |= {name for name, layout in zip(network.outputs, layouts) if layout == LAST}
    return Model(_needed(low.operators, outputs), inputs, outputs, frozenset(last))


def _enter(low: Lowering, name: str) -> Tensor:
    """An input, with its channels last where the network sees an image in it."""
    layout: Layout = LAST if len(low.shape(name)) > 2 and _spatial(low.program, name) else PLAIN
    tensor = Tensor(name, in_layout(low.shape(name), layout), low.program.dtypes[name])
    low.put(name, tensor, layout)
    return tensor


def _spatial(program: Program, name: str) -> bool:
    """Whether the first operators that aren't quantisers work on axes of space."""
    for op in program.readers.get(name, ()):
        if op.kind in SPATIAL or (op.kind.endswith("Linear") and any(_spatial(program, o) for o in op.outputs)):
            return True
    return False


def _write(low: Lowering, op: Op) -> None:
    if op.kind not in TABLE:
        raise UnsupportedOp(f"{op}: there is no way to write this operator as tflite")
    try:
        TABLE[op.kind](low, op)
    except HardwareModelError:
        raise
    except (ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise UnsupportedOp(f"{op} could not be written as tflite with these attributes: {error}") from error


def _leave(low: Lowering, name: str, layout: Layout) -> Tensor:
    """An output in floats."""
    return low.want(name, layout)


def _needed(operators: list[Operator], outputs: tuple[Tensor, ...]) -> tuple[Operator, ...]:
    """Those that the outputs depend on."""
    wanted, kept = {id(tensor) for tensor in outputs}, []
    for operator in reversed(operators):
        if any(id(tensor) in wanted for tensor in operator.outputs):
            kept.append(operator)
            wanted.update(id(tensor) for tensor in operator.inputs if tensor is not None)
    return tuple(kept[::-1])

"""Lowering: what has been written of a tflite program so far, and each ONNX value in the forms that it exists in.

A form is a layout (`PLAIN`: the order of the axes in ONNX; `LAST`: channels, axis 1 there, come last) and a scale
(None: floats). Changes of form are operators of their own, written when an operator first asks for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from hwmodels.base import UnsupportedOp
from hwmodels.profilers.tflite.model import Array, Operator, Scale, Tensor, constant
from hwmodels.profilers.tflite.program import Op, Program

Layout = Literal["plain", "last"]
PLAIN: Layout = "plain"
LAST: Layout = "last"

Form = tuple[Layout, Scale | None]


class Lowering:
    """Operators in order, and the forms of every value. `done` are ONNX operators that others took in."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.operators: list[Operator] = []
        self.forms: dict[str, dict[Form, Tensor]] = {}
        self.codes: dict[str, tuple[Array, Scale]] = {}
        self.rounded: dict[tuple[int, Layout, Scale], Tensor] = {}
        self.quantised: dict[str, tuple[str, Scale]] = {}
        self.done: set[int] = set()

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a value in ONNX."""
        return self.program.shapes[name]

    def fixed(self, name: str) -> Array | None:
        """A constant's values, those behind DequantizeLinear included; None for an activation."""
        if name in self.codes:
            codes, scale = self.codes[name]
            view = [1] * codes.ndim
            if codes.ndim:
                view[scale.axis] = -1
            steps, zeros = np.array(scale.scale, np.float32), np.array(scale.zero, np.int64)
            if not scale.per_channel:
                return np.asarray((codes.astype(np.int64) - zeros[0]).astype(np.float32) * steps[0])
            return np.asarray((codes - zeros.reshape(view)).astype(np.float32) * steps.reshape(view))
        return self.program.constants.get(name)

    def needed(self, op: Op, place: int, what: str) -> Array:
        """A constant operand. Raises UnsupportedOp where the network computes it."""
        value = self.fixed(op.inputs[place]) if place < len(op.inputs) else None
        if value is None:
            raise UnsupportedOp(f"{op}: {what} must be constant to be written as tflite")
        return value

    def emit(self, code: str, inputs: Sequence[Tensor | None], name: str, shape: Sequence[int], **more: Any) -> Tensor:
        """Writes an operator with one output; `dtype` and `scale` are the output's, the rest its options."""
        first = next(tensor for tensor in inputs if tensor is not None)
        scale = more.pop("scale", None)
        dtype = more.pop("dtype", "int8" if scale is not None else first.dtype)
        made = Tensor(name, tuple(int(size) for size in shape), dtype, None, scale)
        self.operators.append(Operator(code, tuple(inputs), (made,), more))
        return made

    def put(self, name: str, tensor: Tensor, layout: Layout = PLAIN) -> None:
        """A form of a value."""
        self.forms.setdefault(name, {})[layout, tensor.scale] = tensor

    def alias(self, name: str, of: str) -> None:
        """A value that is another one."""
        self.forms[name] = self.forms.setdefault(of, {})
        if of in self.codes:
            self.codes[name] = self.codes[of]

    def scale_of(self, name: str) -> Scale | None:
        """The scale that a value is held in, if it is held in codes."""
        scales = [scale for _, scale in self.forms.get(name, {}) if scale is not None]
        if not scales and name in self.codes and not self.codes[name][1].per_channel:
            return self.codes[name][1]
        return scales[0] if scales else None

    def layout_of(self, name: str) -> Layout:
        """LAST where a value exists in no other layout."""
        layouts = {layout for layout, _ in self.forms.get(name, {})}
        return LAST if layouts == {LAST} else PLAIN

    def held(self, name: str) -> tuple[Tensor, Layout]:
        """A value as it is, in codes where it is held in codes."""
        layout, scale = self.layout_of(name), self.scale_of(name)
        return self.want(name, layout, scale), layout

    def want(self, name: str, layout: Layout = PLAIN, scale: Scale | None = None) -> Tensor:
        """A value in one form, written if it isn't there yet."""
        forms = self.forms.setdefault(name, {})
        if (layout, scale) in forms:
            return forms[layout, scale]
        fixed = self.fixed(name)
        if fixed is not None:
            forms[layout, scale] = _constant(name, fixed, layout, scale)
        elif any(held == scale for _, held in forms):
            other, tensor = next((other, tensor) for (other, held), tensor in forms.items() if held == scale)
            forms[layout, scale] = self._moved(name, tensor, other, layout)
        elif scale is None:
            forms[layout, scale] = self._coded(name, layout, scale)
        else:
            return self._rounded(name, layout, scale)
        return forms[layout, scale]

    def _rounded(self, name: str, layout: Layout, scale: Scale) -> Tensor:
        """A value rounded to codes, which is another value than the one that is rounded."""
        key = (id(self.forms[name]), layout, scale)
        if key not in self.rounded:
            self.rounded[key] = self._coded(name, layout, scale)
        return self.rounded[key]

    def _coded(self, name: str, layout: Layout, scale: Scale | None) -> Tensor:
        """A value in other codes, or in floats, from a form in the same layout if there is one."""
        forms = self.forms[name]
        if not forms:
            raise UnsupportedOp(f"value {name} is read before anything made it")
        given = next((tensor for (other, _), tensor in forms.items() if other == layout), None)
        if given is None:
            other, held = next(iter(forms))
            given = forms[layout, held] = self._moved(name, forms[other, held], other, layout)
        if scale is None:
            return self.emit("DEQUANTIZE", [given], f"{name}/dequantize", given.shape, dtype="float32")
        return self.emit("QUANTIZE", [given], f"{name}/quantize", given.shape, scale=scale)

    def _moved(self, name: str, tensor: Tensor, given: Layout, wanted: Layout) -> Tensor:
        assert given != wanted
        return self.transposed(tensor, order(len(tensor.shape), wanted), f"{name}/{wanted}")

    def transposed(self, tensor: Tensor, axes: Sequence[int], name: str) -> Tensor:
        """The tensor with its axes in another order."""
        shape = [tensor.shape[axis] for axis in axes]
        places = constant(f"{name}/axes", np.array(axes, np.int32))
        return self.emit("TRANSPOSE", [tensor, places], name, shape, scale=tensor.scale, dtype=tensor.dtype)

    def reshaped(self, tensor: Tensor, shape: Sequence[int], name: str) -> Tensor:
        """The tensor in another shape."""
        target = constant(f"{name}/shape", np.array(shape, np.int32))
        options = {"newShape": [int(size) for size in shape]}
        return self.emit("RESHAPE", [tensor, target], name, shape, scale=tensor.scale, dtype=tensor.dtype, **options)


def order(rank: int, wanted: Layout) -> tuple[int, ...]:
    """The axes of the other layout in the order of the wanted one."""
    return (0, *range(2, rank), 1) if wanted == LAST else (0, rank - 1, *range(1, rank - 1))


def in_layout(shape: Sequence[int], layout: Layout) -> tuple[int, ...]:
    """A shape of ONNX in a layout."""
    return tuple(shape) if layout == PLAIN else tuple(shape[axis] for axis in order(len(shape), LAST))


def axis_in(axis: int, rank: int, layout: Layout) -> int:
    """An axis of ONNX in a layout."""
    axis %= rank
    return axis if layout == PLAIN else order(rank, LAST).index(axis)


def _constant(name: str, values: Array, layout: Layout, scale: Scale | None) -> Tensor:
    if layout == LAST and values.ndim > 2:
        values = values.transpose(order(values.ndim, LAST))
    if values.dtype == np.float64:
        values = values.astype(np.float32)
    if scale is None:
        return constant(name, values)
    codes = np.clip(np.round(values / np.float32(scale.scale[0])) + scale.zero[0], -128, 127)
    return constant(name, codes.astype(np.int8), scale)

"""Border: an activation where a program is cut, as it lies in memory, and the ONNX nodes that lead over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnx import TensorProto, helper

KINDS: Mapping[str, int] = {
    "f32": TensorProto.FLOAT,
    "f16": TensorProto.FLOAT16,
    "bf16": TensorProto.BFLOAT16,
    "f64": TensorProto.DOUBLE,
    "u8": TensorProto.UINT8,
    "i8": TensorProto.INT8,
    "u16": TensorProto.UINT16,
    "i16": TensorProto.INT16,
    "i32": TensorProto.INT32,
    "i64": TensorProto.INT64,
    "boolean": TensorProto.BOOL,
}
"""OpenVINO's element types in ONNX."""

FLOATS = frozenset({"f32", "f16", "bf16", "f64"})


@dataclass(frozen=True)
class Border:
    """An activation where a program is cut.

    Attributes:
        kind, shape: as the program has it. stored, layout: as it lies in memory; the layout names the axes (a, b, ...)
            from the outermost to the innermost, and is empty for the natural order.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    stored: str
    layout: str = ""

    @property
    def axes(self) -> list[int]:
        """Axes from the outermost to the innermost; the natural order for layouts that block an axis."""
        natural = [chr(ord("a") + n) for n in range(len(self.shape))]
        return [natural.index(letter) for letter in self.layout] if sorted(self.layout) == natural else self._natural

    @property
    def text(self) -> str:
        """What it is, without its name: `f32[1, 16, 32, 32]acdb`."""
        return f"{self.stored}{list(self.shape)}{self.layout}"

    @property
    def plain(self) -> Border:
        """The same in natural order and in the program's own type."""
        return Border(self.name, self.kind, self.shape, self.kind)

    def info(self, name: str) -> Any:
        """The input or output that has it as it lies in memory."""
        return helper.make_tensor_value_info(name, KINDS[self.stored], [self.shape[axis] for axis in self.axes])

    def from_memory(self, nodes: Sequence[Any]) -> tuple[str, list[Any]]:
        """The name of the input, and the nodes that read the activation with those before them that make it.

        Codes are decoded first and laid out then: with a transposition in between OpenVINO computes with floats.
        """
        back, codes = [self.axes.index(axis) for axis in self._natural], f"{self.name}/given"
        if self.kind == self.stored and self.kind not in FLOATS and back != self._natural:
            return codes, [step for node in nodes for step in self._decoded_first(node, codes, back)]
        first, steps = _wired(list(self._steps(back, self.kind)), codes, self.name)
        return first, [*steps, *nodes]

    def to_memory(self) -> tuple[str, list[Any]]:
        """The name of the output, and the nodes that make it of the activation."""
        steps = list(self._steps(self.axes, self.stored))[::-1]
        _, wired = _wired(steps, self.name, f"{self.name}/made")
        return (wired[-1].output[0] if wired else self.name), wired

    def _decoded_first(self, node: Any, codes: str, back: Sequence[int]) -> Iterator[Any]:
        if self.name not in node.input:
            yield node
        elif node.op_type == "DequantizeLinear":
            decoded = f"{node.output[0]}/given"
            yield helper.make_node("DequantizeLinear", [codes, *node.input[1:]], [decoded])
            yield helper.make_node("Transpose", [decoded], node.output, perm=back)
        else:
            yield helper.make_node("Transpose", [codes], [self.name], perm=back)
            yield node

    @property
    def _natural(self) -> list[int]:
        return list(range(len(self.shape)))

    def _steps(self, order: Sequence[int], kind: str) -> Iterator[Any]:
        if list(order) != self._natural:
            yield helper.make_node("Transpose", [""], [""], perm=order)
        if self.kind != self.stored:
            yield helper.make_node("Cast", [""], [""], to=KINDS[kind])


def _wired(steps: list[Any], first: str, last: str) -> tuple[str, list[Any]]:
    """The nodes one behind the other; without any the two ends are one, under the activation's own name."""
    if not steps:
        return last, steps
    names = [first, *(f"{first}/{n}" for n in range(1, len(steps))), last]
    for node, source, target in zip(steps, names, names[1:]):
        node.input[:], node.output[:] = [source], [target]
    return first, steps

"""Op: one ONNX node with its inputs at hand; what every translation is written against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnx import AttributeProto

from methods.graph.nodes_json import BadFile
from methods.graph.onnx_in.values import Size, Value, size_of

if TYPE_CHECKING:
    from methods.graph.onnx_in.builder import Builder

KINDS = {
    AttributeProto.FLOAT: "f",
    AttributeProto.INT: "i",
    AttributeProto.STRING: "s",
    AttributeProto.TENSOR: "t",
    AttributeProto.GRAPH: "g",
    AttributeProto.FLOATS: "floats",
    AttributeProto.INTS: "ints",
}


class Op:
    """One node: `kind` its operator, `version` the operator set it follows, `b` the graph that it is added to."""

    def __init__(
        self, node: Any, inputs: list[Value | None], builder: Builder, version: int, only_reader: bool
    ) -> None:
        self.kind: str = node.op_type
        self.name: str = node.name or (node.output[0] if node.output else node.op_type)
        self.inputs = inputs
        self.outputs: list[str] = list(node.output)
        self.b = builder
        self.version = version
        self.only_reader = only_reader
        self.attributes: dict[str, Any] = {}
        for attribute in node.attribute:
            if attribute.type not in KINDS:
                raise self.bad(f"attribute {attribute.name[:60]!r} is of a type that is not supported")
            self.attributes[attribute.name] = getattr(attribute, KINDS[attribute.type])

    def __str__(self) -> str:
        return f"node {self.name[:120]!r} ({self.kind[:60]})"

    def bad(self, message: str) -> BadFile:
        """The error that says what is wrong with this node."""
        return BadFile(f"{self}: {message}")

    # -- inputs ------------------------------------------------------------------------------------------------

    def get(self, position: int) -> Value | None:
        return self.inputs[position] if position < len(self.inputs) else None

    def __getitem__(self, position: int) -> Value:
        found = self.get(position)
        if found is None:
            raise self.bad(f"input {position} is missing")
        return found

    def pairs(self, position: int, attribute: str = "") -> tuple[list[int], list[int]] | None:
        """Integers from a constant input (or an attribute, in older operator sets) at the two batch sizes."""
        if attribute and attribute in self.attributes:
            values = self.attributes[attribute]
            listed = [int(v) for v in values] if not isinstance(values, int) else [values]
            return listed, listed
        value = self.get(position)
        if value is None:
            return None
        if value.live or value.is_float:
            raise self.bad(f"input {position} ({attribute or 'sizes'}) must be known integers, not computed")
        first, second = (probe.reshape(-1).tolist() for probe in value.probes)
        return [int(v) for v in first], [int(v) for v in second]

    def sizes(self, position: int, attribute: str = "") -> list[int | Size] | None:
        found = self.pairs(position, attribute)
        return None if found is None else [size_of(pair) for pair in zip(*found, strict=True)]

    def whole(self, position: int, attribute: str = "") -> list[int] | None:
        """The same integers where they may not follow the batch."""
        found = self.sizes(position, attribute)
        if found is None:
            return None
        if any(isinstance(size, Size) for size in found):
            raise self.bad(f"{attribute or f'input {position}'} follows the batch size; it must be fixed")
        return [int(size) for size in found if not isinstance(size, Size)]

    def scalar(self, position: int, attribute: str = "") -> float | None:
        """One number from an input or attribute, or None where it is left out."""
        if attribute and attribute in self.attributes:
            return float(self.attributes[attribute])
        value = self.get(position)
        if value is None:
            return None
        number = value.number()
        if number is None:
            raise self.bad(f"input {position} ({attribute or 'value'}) must be one known number")
        return float(number)

    # -- attributes --------------------------------------------------------------------------------------------

    def integer(self, name: str, default: int = 0) -> int:
        return int(self.attributes.get(name, default))

    def real(self, name: str, default: float = 0.0) -> float:
        return float(self.attributes.get(name, default))

    def text(self, name: str, default: str = "") -> str:
        value = self.attributes.get(name, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

    def ints(self, name: str, default: list[int] | None = None) -> list[int]:
        return [int(v) for v in self.attributes.get(name, default or [])]

    def axis(self, name: str, default: int, rank: int) -> int:
        """An axis attribute as a number from 0 to `rank` - 1."""
        return self.position(self.integer(name, default), rank)

    def position(self, axis: int, rank: int) -> int:
        if not -rank <= axis < rank:
            raise self.bad(f"axis {axis} is not one of a value with {rank} axes")
        return axis % rank

    def only_first(self) -> None:
        """Raises BadFile where an output beyond the first is used."""
        extra = [name for name in self.outputs[1:] if name and self.b.uses.get(name)]
        if extra:
            raise self.bad(f"its output {extra[0][:80]!r} is used, but only the first one is supported")

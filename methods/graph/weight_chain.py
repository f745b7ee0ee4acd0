"""What stands between a parameter and the layer that reads it as its weight: the weight's form, read off the graph.

The links come in one order, each of them optional: a look-up of shared values, a mask, factors (scales per channel or
signs), rounding. Whatever a method puts on a weight is one of them, so that storage, lowering and other methods need
to know nothing of methods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import fx

from methods.graph.nodes import argument, name_of
from methods.graph.ops import kind_of

LOOK_UPS = ("codebook", "buckets", "circulant")
"""Last part of the name of a parameter whose values are looked up: any indices, hashed ones, wrapped diagonals."""
MASK, FACTORS, SIGNS = "mask", "factors", "signs"
"""Ends of the names of what a weight is multiplied by: `fc1.weight_mask`."""
RESHAPES = ("view", "reshape", "permute", "transpose", "t")


@dataclass(frozen=True)
class WeightChain:
    """One weight's form.

    Attributes:
        source: the node of the trainable parameter, `parameter` its name.
        indices: name of the buffer that looks its values up, empty where it is the weight itself.
        mask, factors, signs: names of what it is multiplied by, empty where it isn't.
        snap: the node that rounds it to levels, None where none does; factors may stand outside it.
        rounding: the node that rounds it to even steps, outermost. values: the node of what is rounded last (or of the
            weight, where nothing is), in the weight's own shape.
    """

    source: fx.Node
    indices: str = ""
    mask: str = ""
    factors: str = ""
    signs: str = ""
    snap: fx.Node | None = None
    rounding: fx.Node | None = None
    values: fx.Node | None = None

    @property
    def parameter(self) -> str:
        return str(self.source.target)

    @property
    def kind(self) -> str:
        """How its values are looked up (`codebook`, `buckets`, `circulant`); empty for a full weight."""
        leaf = self.parameter.rpartition(".")[2]
        return leaf if self.indices and leaf in LOOK_UPS else ""

    @property
    def is_bare(self) -> bool:
        """Whether the parameter is the weight, as it is."""
        return not (self.indices or self.mask or self.factors or self.signs or self.snap or self.rounding)


def chain_of(value: Any) -> WeightChain | None:
    """The form of a layer's weight operand. None where it is anything else: computed from data, tied in another way."""
    rounding, value = _rounding(value, "quantize")
    found: dict[str, str] = {}
    current = _factored(value, found)
    snap, current = _rounding(current, "snap")
    current = _factored(current, found, inside=True) if snap is not None else current
    source, indices = (None, "") if current is None else _looked_up(current)
    if source is None:
        return None
    return WeightChain(source, indices, snap=snap, rounding=rounding, values=value, **found)


def _factored(value: Any, found: dict[str, str], inside: bool = False) -> Any:
    """What is behind masks, factors and signs, which are noted in `found`; None where they don't stand in order."""
    current = value
    while isinstance(current, fx.Node) and name_of(current) == "mul":
        inner, other = _operands(current)
        role = _role(other)
        if not role or role in found or _after(role, found) or (inside and role != MASK):
            return None
        found[role] = str(other.target)
        current = inner
    return current


def _operands(product: fx.Node) -> tuple[Any, Any]:
    first, second = product.args[:2]
    return first, second


def _rounding(value: Any, kind: str) -> tuple[fx.Node | None, Any]:
    """The node that rounds, seen through reshapes to groups and back, and what goes into it."""
    inner = _unmoved(value)
    if not isinstance(inner, fx.Node) or kind_of(inner.target) != kind:
        return None, value
    return inner, _unmoved(inner.args[0])


def _unmoved(value: Any) -> Any:
    """Behind reshapes: of a look-up they belong to the look-up."""
    current = value
    while isinstance(current, fx.Node) and name_of(current) in RESHAPES:
        current = current.args[0]
    looked = isinstance(current, fx.Node) and kind_of(current.target) == "lookup"
    return value if looked else current


def _after(role: str, found: dict[str, str]) -> bool:
    """Whether a link stands outside one that must stand outside it: walking inwards, a mask comes last."""
    return role != MASK and MASK in found


def _role(value: Any) -> str:
    if not isinstance(value, fx.Node) or value.op != "get_attr":
        return ""
    end = str(value.target).rpartition("_")[2]
    return end if end in (MASK, FACTORS, SIGNS) else ""


def _looked_up(value: Any) -> tuple[fx.Node | None, str]:
    """The parameter's node, and the name of the indices that look it up."""
    current = value
    while isinstance(current, fx.Node) and name_of(current) in RESHAPES:
        current = current.args[0]
    if not isinstance(current, fx.Node):
        return None, ""
    if kind_of(current.target) == "lookup":
        book, index = argument(current, "self"), argument(current, "index")
        known = all(isinstance(n, fx.Node) and n.op == "get_attr" for n in (book, index))
        return (book, str(index.target)) if known else (None, "")
    return (current, "") if current.op == "get_attr" and current is value else (None, "")

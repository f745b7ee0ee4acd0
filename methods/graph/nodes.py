"""Reading and writing the arguments of ATen nodes by the names that their schemas give them."""

from __future__ import annotations

from functools import cache
from typing import Any

from torch import fx


@cache
def _schema(target: Any) -> dict[str, tuple[int, Any]]:
    """Argument name -> its position and default."""
    arguments = target._schema.arguments
    return {a.name: (i, a.default_value if a.has_default_value() else None) for i, a in enumerate(arguments)}


def argument(node: fx.Node, name: str, default: Any = None) -> Any:
    """An argument by the name that it has in the operator's schema: given, or the schema's default; `default` where
    this overload has no such argument."""
    known = _schema(node.target).get(name)
    if known is None:
        return default
    position, usual = known
    return node.args[position] if position < len(node.args) else node.kwargs.get(name, usual)


def has_argument(node: fx.Node, name: str) -> bool:
    """Whether the operator has an argument of that name."""
    return hasattr(node.target, "_schema") and name in _schema(node.target)


def set_argument(node: fx.Node, name: str, value: Any) -> None:
    """Gives an argument another value, in its place."""
    position, _ = _schema(node.target)[name]
    if position < len(node.args):
        node.update_arg(position, value)
    else:
        node.update_kwarg(name, value)


def name_of(node: fx.Node) -> str:
    """The operator's name without namespace and overload."""
    return str(node.target).removeprefix("aten.").removeprefix("fitwright.").split(".")[0]


def is_several(node: fx.Node) -> bool:
    """Whether an operator gives a list of values."""
    schema = getattr(node.target, "_schema", None)
    return schema is not None and (len(schema.returns) > 1 or "[]" in str(schema.returns[0].type))

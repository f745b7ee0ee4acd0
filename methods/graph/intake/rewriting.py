"""How a rule sees the node that it replaces, and helpers for rules.

A rule takes a `Site` (a node and what is known about it) and gives the node that replaces it, or None where it doesn't
apply.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from torch import fx

from methods.graph.intake.fakes import Fakes


class Site:
    """A node that is being replaced; new nodes are put before it."""

    def __init__(self, node: fx.Node, fakes: Fakes) -> None:
        self.node = node
        self.fakes = fakes
        self.schema: Any = node.target._schema  # type: ignore[union-attr]

    def call(self, target: Any, *args: Any, **kwargs: Any) -> fx.Node:
        with self.node.graph.inserting_before(self.node):
            return self.node.graph.call_function(target, args, kwargs)

    def arg(self, name: str) -> Any:
        """An argument by its name in the operator's schema, its default included."""
        for position, argument in enumerate(self.schema.arguments):
            if argument.name == name:
                default = argument.default_value
                value = self.node.args[position] if position < len(self.node.args) else None
                given = position < len(self.node.args)
                return value if given else self.node.kwargs.get(name, default)
        return None

    def only_first(self) -> list[fx.Node] | None:
        """The nodes that pick the first of several outputs, if nobody picks another."""
        users = list(self.node.users)
        picks = [u for u in users if u.target is operator.getitem]
        live = [u for u in picks if u.args[1] != 0 and u.users]
        return picks if len(picks) == len(users) and not live else None


Rule = Callable[[Site], fx.Node | None]
Rules = dict[str, Rule]
"""Operator (without `aten.`) -> its rule. A rule for an operator with several outputs gives the first."""


def register(rules: Rules, *names: str) -> Callable[[Rule], Rule]:
    """Decorator: enters a rule under the operators' names."""

    def enter(rule: Rule) -> Rule:
        rules.update({name: rule for name in names})
        return rule

    return enter


def listed(value: Any, like: list[int]) -> list[int]:
    """An int or list argument of a convolution or pooling as a list."""
    values = list(value) if isinstance(value, list | tuple) else [value]
    return [int(v) for v in (values * len(like) if len(values) == 1 else values)]


def overload(node: fx.Node) -> str:
    return str(node.target).rpartition(".")[2]

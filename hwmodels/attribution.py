"""Which of our operators a runtime's node stands for, so that a report can speak of the user's own layers.

A runtime fuses operators: one node may do a convolution, an addition and an activation. The node is named after the
activation that it computes; from there back to what earlier nodes have computed lie the operators that it does.
"""

from __future__ import annotations

from collections.abc import Sequence

from hwmodels.workload import Op


def attribute(names: Sequence[str], ops: Sequence[Op]) -> list[Op | None]:
    """For each node, given the activation that it computes, the operator that stands for it; None where none does.

    Of several fused operators it is the one with the most multiply-accumulates. A node for an activation that an
    earlier node has computed (a change of its layout) goes to the same operator, and so does a step on the way to an
    activation, which is called `activation/step`.
    """
    makers = {name: op for op in ops for name in (op.name, *op.writes, *op.aliases)}
    claimed: set[str] = set()
    owners: dict[str, Op] = {}
    found: list[Op | None] = []
    for name in names:
        if name not in owners and name in makers:
            members = _behind(makers[name], makers, claimed)
            claimed |= {op.name for op in members}
            owners[name] = max(members, key=lambda op: op.macs)
        found.append(owners.get(name) or makers.get(name.partition("/")[0]))
    return found


def _behind(last: Op, makers: dict[str, Op], claimed: set[str]) -> list[Op]:
    """`last` and all operators before it that no earlier node has done, nearest first."""
    members, waiting, seen = [last], [last], claimed | {last.name}
    while waiting:
        for name in waiting.pop().reads:
            op = makers.get(name)
            if op is not None and op.name not in seen:
                seen.add(op.name)
                members.append(op)
                waiting.append(op)
    return members

"""How much of a network can be acted on, in shares of its multiply-accumulates and of its parameters."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from hwmodels.workload import Op, Workload
from methods.graph.coupling.groups import ChannelGroup
from methods.graph.ir import Graph
from methods.graph.surgery.blocks import Block

Document = dict[str, Any]
Groups = Mapping[str, ChannelGroup]

KINDS = {
    "channels": "channels",
    "heads": "attention heads",
    "groups": "groups of channels",
    "hidden": "hidden units",
}
"""What stands before the colon of a group's site -> what its units are called."""


class Coverage:
    """Adds up operators and parameters.

    An operator is acted on where one of its shapes follows a site; a parameter where some of its entries do.
    """

    def __init__(self, graph: Graph, workload: Workload, groups: Groups, blocks: Mapping[str, Block]) -> None:
        self.ops, self.macs = workload.ops, workload.macs or 1
        self.counts = {name: p.numel() for name, p in graph.module.named_parameters()}
        self.wide = {site: group for site, group in groups.items() if len(group) > 1}
        self.weighted = {use.weight for use in graph.weight_uses()}
        self.removable = {name for block in blocks.values() for name in block.parameters}

    def document(self) -> Document:
        """`channels_...`: operators that can get narrower, whatever their units are; `blocks_...`: what is in a block
        that can go; `structure_...`: either of them; `weights_...`: weights that can take another form; each with
        `share_of_macs` and `share_of_parameters`. `kinds` has the same for each kind of unit."""
        narrow, narrowed = self._narrowed(self.wide)
        inside = [op for op in self.ops if op.blocks]
        either = {op.name: op for op in (*narrow, *inside)}
        parts = {
            "channels_": self._shares(narrow, narrowed),
            "blocks_": self._shares(inside, self.removable),
            "structure_": self._shares(either.values(), narrowed | self.removable),
            "weights_": self._shares([op for op in self.ops if op.site], self.weighted),
        }
        found: Document = {part + name: share for part, shares in parts.items() for name, share in shares.items()}
        return found | {"kinds": self._kinds()}

    def _kinds(self) -> Document:
        """Each kind of unit that there is: how many groups and units, and the shares that they reach."""
        kinds = {}
        for kind, words in KINDS.items():
            mine = {site: group for site, group in self.wide.items() if site.startswith(f"{kind}:")}
            if mine:
                counted = {"groups": len(mine), "units": sum(map(len, mine.values()))}
                kinds[words] = counted | self._shares(*self._narrowed(mine))
        return kinds

    def _narrowed(self, groups: Groups) -> tuple[list[Op], set[str]]:
        """The operators and the parameters that some of these groups run through."""
        ops = [op for op in self.ops if any(site in groups for site in op.sites)]
        return ops, {place.parameter for group in groups.values() for place in group.places}

    def _shares(self, ops: Iterable[Op], parameters: Collection[str]) -> dict[str, float]:
        total = sum(self.counts.values()) or 1
        return {
            "share_of_macs": sum(op.macs for op in ops) / self.macs,
            "share_of_parameters": sum(self.counts.get(name, 0) for name in parameters) / total,
        }

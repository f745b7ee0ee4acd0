"""Block removal: whole residual blocks and transformer layers go, and what went into them is handed on instead.

It shortens the chain of operators, so it saves time on devices where narrower layers don't.

Reference: Veit et al., "Residual networks behave like ensembles of relatively shallow networks", 2016, arXiv 1605.06431
(single blocks of a trained network can be left out); Huang et al., "Deep networks with stochastic depth", 2016, arXiv
1603.09382, and Fan et al., "Reducing transformer depth on demand with structured dropout", 2019, arXiv 1909.11556
(networks that are trained for it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from hwmodels.device import Device
from hwmodels.workload import Op
from methods.base import EVERYTHING, Data, Space, Value
from methods.choices import as_word, check_sites
from methods.graph.ir import Graph
from methods.graph.surgery.blocks import blocks, remove_blocks

WORDS = ("keep", "remove")


@dataclass(frozen=True)
class BlockRemoval:
    """Choices: "remove", or "keep" to leave a block where it is. Nothing else in the network changes."""

    name: str = "block-removal"
    stage: ClassVar[str] = "shape"
    runs: ClassVar[bool] = True
    helps: ClassVar[frozenset[str]] = EVERYTHING

    def space(self, graph: Graph, device: Device) -> Space:  # noqa: ARG002
        """Every removable block; those within each other can be chosen together."""
        return Space(dict.fromkeys(blocks(graph), WORDS))

    def apply(self, graph: Graph, choices: Mapping[str, Value], data: Data) -> Graph:  # noqa: ARG002
        """A graph without the chosen blocks. Raises BadChoice."""
        check_sites(self.name, choices, blocks(graph))
        return remove_blocks(graph, [site for site, value in choices.items() if self._goes(site, value)])

    def rewrite(self, op: Op, choices: Mapping[str, Value]) -> tuple[Op, ...]:
        """Nothing, for an operator inside a block that goes; its sum is one of them."""
        gone = any(self._goes(site, choices[site]) for site in op.blocks if site in choices)
        return () if gone else (op,)

    def _goes(self, site: str, value: Value) -> bool:
        return as_word(self.name, site, value, WORDS) == "remove"

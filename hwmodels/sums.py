"""Sums: what a network's nodes take by the rows of a table, each part by itself, on one Basis."""

from __future__ import annotations

from collections.abc import Sequence

from hwmodels.base import Measurement
from hwmodels.basis import Basis
from hwmodels.parts import beyond, constant_bytes, missed, part_of
from hwmodels.profilers.runtime_node import RuntimeNode
from hwmodels.table import Table

LEAST_SHARE = 0.01
"""Of what was timed, the least that is the node's own."""

CALL = "call"
"""Name of the part for what a call costs before any node runs."""


def parts_of(table: Table, nodes: Sequence[RuntimeNode], basis: Basis) -> dict[str, float]:
    """Seconds by part (hwmodels/parts.py), the call among them: what is calibrated. All nodes have rows."""
    found = {CALL: call_s(table, basis)} | beyond(nodes)
    for node, seconds in zip(nodes, shares_s(table, nodes, basis)):
        found[part_of(node)] = found.get(part_of(node), 0.0) + seconds
    return found


def call_s(table: Table, basis: Basis) -> float:
    """What a call costs before any node runs. Raises BadTable where it was never measured."""
    return basis.latency_s(table.overhead)


def shares_s(table: Table, nodes: Sequence[RuntimeNode], basis: Basis) -> list[float]:
    """Seconds of each node of a network, without the call that was timed with it."""
    share = missed(constant_bytes(nodes), basis.near_mb)
    return [_share_s(table, node, share, basis) for node in nodes]


def whole_s(measured: Measurement, nodes: Sequence[RuntimeNode], basis: Basis) -> float:
    """What was measured of a network with these nodes, on that basis."""
    weights = constant_bytes(nodes)
    return basis.latency_s(measured, weights * missed(weights, basis.near_mb))


def _share_s(table: Table, node: RuntimeNode, share: float, basis: Basis) -> float:
    """`share` of the node's weights come from behind the nearest caches. Never quite nothing, which a call that was
    timed in noise would make of small nodes."""
    weights = constant_bytes([node])
    seconds = basis.latency_s(table.row(node.key), weights * missed(weights, basis.near_mb))
    key = node.swept().key
    if share and (key in table.rows or key in table.disturbed):
        seconds += share * (basis.latency_s(table.row(key), weights) - seconds)
    return max(LEAST_SHARE * seconds, seconds - call_s(table, basis))

"""Weight sharing: each weight becomes an index into a small codebook, which k-means finds and training refines.

Arithmetic stays in floating point, so nothing gets faster: the file gets smaller. Gradients of all weights that share
a value add up at the codebook, as in the reference.

Reference: Han, Mao and Dally, "Deep compression", 2016, arXiv 1510.00149, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from hwmodels.device import Device
from hwmodels.workload import Op
from methods.base import Data, MethodError, Space, Value
from methods.choices import as_bits, check_sites
from methods.graph.ir import Graph, WeightUse
from methods.graph.surgery.forms import is_plain, share_weight
from methods.numerics.kmeans import cluster

WIDTHS = (8, 6, 5, 4, 3, 2)


@dataclass(frozen=True)
class WeightSharing:
    """Choices: the bits of an index, 1 to 8; 0 leaves the weight as it is."""

    name: str = "weight-sharing"

    def space(self, graph: Graph, device: Device) -> Space:  # noqa: ARG002
        """Every weight of its own, with the widths at which codebook and indices are smaller than the weight."""
        sites: dict[str, tuple[Value, ...]] = {}
        for use in _uses(graph):
            weights = graph.tensor(use.weight).numel()
            widths = [bits for bits in WIDTHS if _stored_bits(weights, bits) < 32 * weights]
            known = sites.get(use.site, (0, *WIDTHS))
            sites[use.site] = (0, *(bits for bits in widths if bits in known))
        return Space({site: values for site, values in sites.items() if len(values) > 1})

    def apply(self, graph: Graph, choices: Mapping[str, Value], data: Data) -> Graph:  # noqa: ARG002
        """A graph whose chosen weights are looked up. Raises BadChoice."""
        check_sites(self.name, choices, {use.site for use in _uses(graph)})
        widths = {site: as_bits(self.name, site, value) for site, value in choices.items()}
        result = graph.clone()
        for use in _uses(result):
            if widths.get(use.site):
                _share(result, use, widths[use.site])
        result.remove_unused()
        return result

    def rewrite(self, op: Op, choices: Mapping[str, Value]) -> tuple[Op, ...]:
        """The operator with its weights' stored width."""
        bits = as_bits(self.name, op.site, choices.get(op.site, 0))
        return (replace(op, stored_bits=float(bits)) if bits else op,)


def _uses(graph: Graph) -> list[WeightUse]:
    return [use for use in graph.weight_uses() if is_plain(use)]


def _stored_bits(weights: int, bits: int) -> int:
    return 32 * (1 << bits) + bits * weights


def _share(graph: Graph, use: WeightUse, bits: int) -> None:
    weight = graph.tensor(use.weight).detach()
    try:
        clusters = cluster(weight.numpy(), 2**bits)
    except ValueError as error:
        raise MethodError(f"the weight at {use.site} can't be shared: {error}") from error
    share_weight(graph, use, torch.from_numpy(clusters.centres), torch.from_numpy(clusters.indices))

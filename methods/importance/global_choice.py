"""One threshold for a whole network: which units stay when those with the smallest scores go, wherever they are.

Reference: Liu et al., "Learning efficient convolutional networks through network slimming", 2017, arXiv 1708.06519
(a percentile of all scales); Molchanov et al., 2017, arXiv 1611.06440, section 2.1 (scores of each layer divided by
their L2 norm, so that layers can be compared).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from methods.base import BadChoice


def kept_globally(
    scores: Mapping[str, Tensor], share: float, normalised: bool = False, least: int = 1
) -> dict[str, list[int]]:
    """Site -> units that stay, in rising order: `share` of all units, rounded, and at least `least` of each site.

    Args:
        scores: channel site -> scores `[units]`. normalised: divide those of each site by their L2 norm first.

    Raises BadChoice for a share outside 0 to 1. Of equals, the earlier ones stay.
    """
    if not 0.0 < share <= 1.0:
        raise BadChoice(f"the share of units that stay is above 0 and at most 1, not {share}")
    sizes = {site: float(s.double().norm()) if normalised else 1.0 for site, s in scores.items()}
    ranked = {site: s.double() / max(sizes[site], 1e-300) for site, s in scores.items()}
    for values in ranked.values():
        values[values.argsort(descending=True, stable=True)[:least]] = float("inf")
    flat = torch.cat(list(ranked.values())) if ranked else torch.zeros(0)
    stay = torch.zeros(len(flat), dtype=torch.bool)
    count = max(round(share * len(flat)), int(flat.isinf().sum()))
    stay[flat.argsort(descending=True, stable=True)[:count]] = True
    parts = stay.split([len(s) for s in scores.values()]) if ranked else ()
    return {site: part.nonzero().reshape(-1).tolist() for site, part in zip(scores, parts, strict=True)}

"""What single weights are worth to a mask, and putting it on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from methods.base import MethodError
from methods.graph.ir import Graph, WeightUse
from methods.graph.surgery.forms import mask_of, mask_weight
from methods.numerics.patterns import Mask, Scores

MAGNITUDE = "magnitude"


def squares(weight: Tensor) -> Scores:
    """What the weights are worth by their size: the sum over a unit is what removing it costs in squared error."""
    values: Scores = weight.detach().double().numpy()
    return np.square(values)


def scores_of(graph: Graph, use: WeightUse, found: Mapping[str, Tensor]) -> Scores:
    """What an importance says of a weight, from zero up; without one, its size."""
    if not found:
        return squares(graph.tensor(use.weight))
    if use.weight not in found:
        raise MethodError(f"the importance has no score for {use.site}; use {MAGNITUDE!r}, or leave this site as it is")
    scores = found[use.weight].detach().double().numpy()
    return scores - min(0.0, float(scores.min()))


def worth(graph: Graph, use: WeightUse, scores: Scores) -> Scores:
    """The scores, -1 where a mask took the weight already."""
    known = mask_of(graph, use)
    return scores if known is None else np.where(known.numpy(), scores, -1.0)


def put_mask(graph: Graph, use: WeightUse, mask: Mask, pattern: str) -> None:
    """Masks a weight. Raises ValueError where, with the mask that is there, nothing would be left of it."""
    found, known = torch.from_numpy(mask), mask_of(graph, use)
    if not bool((found if known is None else found & known).any()):
        raise ValueError("no weight would be left that an earlier mask has kept; choose a larger share or one pattern")
    mask_weight(graph, use, found, pattern)

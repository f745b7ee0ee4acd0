"""What every importance asks of its samples and of its scores, and the weights that are scored one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import torch
from torch import Tensor

from methods.base import BadChoice, Data, MethodError
from methods.graph.ir import Graph

WITHOUT_DATA = "'magnitude' or 'magnitude-l1', which look at weights only"
PER_WEIGHT = "magnitude, taylor, fisher, gradient and random"


def samples(name: str, graph: Graph, data: Data, most: int) -> Data:
    """The first `most` samples. Raises MethodError where they don't fit the graph, or aren't numbers."""
    if not len(data):
        raise MethodError(f"the importance {name!r} needs samples; give it some, or use {WITHOUT_DATA}")
    wanted, given = [s.shape for s in graph.inputs], [tuple(x.shape[1:]) for x in data.inputs]
    if wanted != given:
        raise MethodError(f"the importance {name!r} was given samples of shape {given}; the network takes {wanted}")
    few = data.head(most)
    if not all(bool(torch.isfinite(x).all()) for x in few.inputs if x.is_floating_point()):
        raise MethodError(f"the importance {name!r} was given samples with NaN or infinite values; clean the data")
    return few


def at_least(name: str, least: int, **settings: int) -> None:
    """Raises BadChoice for a whole-number setting that is too small."""
    for setting, value in settings.items():
        if value < least:
            raise BadChoice(f"the importance {name!r} takes {setting} of {least} or more, not {value}")


def finite(name: str, scores: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same scores. Raises MethodError, naming the place, where one is NaN or infinite."""
    for place, values in scores.items():
        if not bool(torch.isfinite(values).all()):
            raise MethodError(
                f"the importance {name!r} is not finite at {place}: a weight is NaN or infinite, or too large for the "
                "loss to be followed. Repair the weights, or leave this part of the network as it is"
            )
    return dict(scores)


def layer_weights(graph: Graph) -> dict[str, Tensor]:
    """Parameter name -> the weight of each convolution and linear layer, once, detached."""
    known = dict(graph.module.named_parameters())
    names = dict.fromkeys(use.weight for use in graph.weight_uses())
    return {name: known[name].detach() for name in names if name in known}


def units_only(name: str, why: str) -> NoReturn:
    """Raises the MethodError of an importance that can't score weight by weight."""
    raise MethodError(f"the importance {name!r} can't score single weights: {why}. Those that can: {PER_WEIGHT}")

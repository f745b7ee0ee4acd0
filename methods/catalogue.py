"""Every compression method, in the order in which a recipe applies them: one line each."""

from __future__ import annotations

import difflib

from methods.base import Method, MethodError
from methods.block_removal import BlockRemoval
from methods.channel_pruning import ChannelPruning
from methods.low_rank import LowRank
from methods.quantization import Quantization
from methods.weight_sharing import WeightSharing


class UnknownMethod(MethodError):
    """There is no method of that name."""


METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        BlockRemoval(),
        ChannelPruning(),
        LowRank(),
        WeightSharing(),
        Quantization(),
    )
}


def method(name: str) -> Method:
    """The method of that name. Raises UnknownMethod with the nearest name and all names."""
    if name in METHODS:
        return METHODS[name]
    near = difflib.get_close_matches(name.lower(), METHODS, 1)
    guess = f" (did you mean {near[0]}?)" if near else ""
    raise UnknownMethod(f"there is no method {name!r}{guess}; there are {', '.join(METHODS)}")

"""Every compression method, in the order in which a recipe applies them: one line each."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from itertools import pairwise

from methods.base import RESHAPES, STAGES, Method, MethodError
from methods.binary import Binary
from methods.block_removal import BlockRemoval
from methods.channel_pruning import ChannelPruning
from methods.circulant import Circulant
from methods.depthwise_separable import DepthwiseSeparable
from methods.dorefa import DoReFa
from methods.hashing import Hashing
from methods.low_rank import LowRank
from methods.power_of_two import PowerOfTwo
from methods.quantization import Quantization
from methods.separable import Separable
from methods.sparsity import Sparsity
from methods.ternary import Ternary
from methods.tucker import Tucker2
from methods.weight_sharing import WeightSharing


class UnknownMethod(MethodError):
    """There is no method of that name."""


class WrongOrder(MethodError):
    """A recipe's methods stand in an order in which they can't be applied."""


METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        BlockRemoval(),
        ChannelPruning(),
        DepthwiseSeparable(),
        Separable(),
        Tucker2(),
        LowRank(),
        Circulant(),
        Hashing(),
        Sparsity(),
        WeightSharing(),
        Binary(),
        Ternary(),
        PowerOfTwo(),
        DoReFa(),
        Quantization(),
    )
}


def reshapes(name: str) -> bool:
    """Whether layers have other shapes after a method; the others give the weights that are left another form."""
    return METHODS[name].stage in RESHAPES


def check_order(names: Sequence[str]) -> None:
    """Raises WrongOrder where a recipe's methods don't stand in catalogue order, or one stands twice: says why."""
    order = list(METHODS)
    for earlier, later in pairwise(names):
        if earlier == later:
            raise WrongOrder(f"{later} stands twice in the recipe; put its choices into one step")
        if order.index(earlier) > order.index(later):
            reason = f"{earlier} {STAGES[METHODS[earlier].stage]}"
            if METHODS[earlier].stage == METHODS[later].stage:
                reason = f"methods of one kind stand in the order {', '.join(_kind(METHODS[later].stage))}"
            raise WrongOrder(f"{later} can't come after {earlier}: {reason}. Put {later} before {earlier}")


def _kind(stage: str) -> list[str]:
    return [name for name, each in METHODS.items() if each.stage == stage]


def method(name: str) -> Method:
    """The method of that name. Raises UnknownMethod with the nearest name and all names."""
    if name in METHODS:
        return METHODS[name]
    near = difflib.get_close_matches(name.lower(), METHODS, 1)
    guess = f" (did you mean {near[0]}?)" if near else ""
    raise UnknownMethod(f"there is no method {name!r}{guess}; there are {', '.join(METHODS)}")

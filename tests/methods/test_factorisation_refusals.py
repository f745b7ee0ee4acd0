"""What factorisations refuse, and what they say."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from methods.base import BadChoice, Data, Value
from methods.factorisation import Factorisation, RankedFactorisation
from methods.graph.lower import lower
from methods.graph.surgery.forms import mask_weight, share_weight
from methods.graph.surgery.rounding import quantise_weight
from methods.low_rank import LowRank
from methods.separable import Separable
from methods.tucker import Tucker2
from tests.methods.factorised import DEVICE, EVERY, SITE, conv, layer, ranks

EVERY_METHOD = pytest.mark.parametrize("method", EVERY, ids=lambda m: m.name)
RANKED = (Separable(), Tucker2(), LowRank(samples=0))
EVERY_RANKED = pytest.mark.parametrize("method", RANKED, ids=lambda m: m.name)
NO_DATA = Data((torch.zeros(0, 6, 8, 8),))


@EVERY_RANKED
def test_ranks_above_the_full_ones_are_refused(method: RankedFactorisation) -> None:
    """Naming the site, what was asked for and what there is; in plans as in graphs."""
    graph, asked = conv(), ranks(method, 2.0)
    full = ranks(method).removeprefix("rank:")
    message = f"{method.name} at {SITE}: rank {asked.removeprefix('rank:')} is more than the full rank, {full}; ask for"
    with pytest.raises(BadChoice, match=message):
        method.apply(graph, {SITE: asked}, NO_DATA)
    with pytest.raises(BadChoice, match=message):
        [method.rewrite(op, {SITE: asked}) for op in lower(graph).ops]


@EVERY_METHOD
@pytest.mark.parametrize(
    "value", [0.0, -0.5, 1.5, 3, True, "rank:", "rank:0", "rank:1.5", "rank:1,2,3", "energy:0", "energy:2", "half"]
)
def test_values_that_mean_nothing_are_refused(method: Factorisation, value: Value) -> None:
    """The message names the site and gives an example of what does."""
    with pytest.raises(BadChoice, match=rf"{method.name} at {SITE} takes .*(share|replace)"):
        method.apply(conv(), {SITE: value}, NO_DATA)


@EVERY_METHOD
@pytest.mark.parametrize("form", ["masked", "shared", "rounded", "factorised"])
def test_a_weight_that_has_another_form_is_refused(method: Factorisation, form: str) -> None:
    """With the order that would do."""
    graph = conv()
    use = next(graph.weight_uses())
    weight = graph.tensor("one.weight").detach()
    if form == "masked":
        mask_weight(graph, use, weight > 0)
    elif form == "shared":
        share_weight(graph, use, torch.ones(1), torch.zeros(weight.shape, dtype=torch.int32))
    elif form == "rounded":
        quantise_weight(graph, use, torch.ones(10), -127, 127)
    else:
        graph = LowRank(samples=0).apply(graph, {SITE: 0.5}, NO_DATA)
    reason = "factorised already" if form == "factorised" else "masks, sharing and rounding come after"
    assert SITE not in method.space(graph, DEVICE).sites
    with pytest.raises(BadChoice, match=rf"'{SITE}'.*{reason}"):
        method.apply(graph, {SITE: "replace" if method.name == "depthwise-separable" else 0.5}, NO_DATA)


@pytest.mark.parametrize(
    ("made", "shape", "refused"),
    [
        (nn.Linear(6, 9), (6,), ("separable", "tucker-2", "depthwise-separable")),
        (nn.Conv2d(6, 9, 1), (6, 4, 4), ("separable", "tucker-2", "depthwise-separable")),
        (nn.Conv1d(6, 9, 3), (6, 9), ("separable",)),
        (nn.Conv2d(6, 9, (3, 1)), (6, 4, 4), ("separable",)),
        (nn.Conv2d(6, 9, 3, groups=3), (6, 4, 4), ("separable", "tucker-2", "depthwise-separable", "low-rank")),
        (nn.ConvTranspose2d(6, 9, 3), (6, 4, 4), ("separable", "tucker-2", "depthwise-separable", "low-rank")),
    ],
)
def test_layers_that_do_not_suit_say_why(made: nn.Module, shape: tuple[int, ...], refused: tuple[str, ...]) -> None:
    """They are in no space; asked for all the same, they are refused with the reason."""
    graph = layer(made, *shape)
    for method in EVERY:
        if method.name in refused:
            assert SITE not in method.space(graph, DEVICE).sites
            with pytest.raises(BadChoice, match=rf"{method.name} can't act at '{SITE}': (it is|its kernel)"):
                method.apply(graph, {SITE: "replace"}, Data(graph.example(1)))

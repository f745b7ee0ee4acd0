"""Recipes that leave blocks out, together with choices for what was in them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.graph.file import write
from methods.graph.intake.capture import capture
from methods.graph.lower import lower
from methods.graph.surgery.blocks import blocks
from search.candidates import Effort, compress
from search.choice_words import choice_words
from search.context import Context
from search.layers import compare_layers
from search.preflight import strongest
from search.prepare import variables_of
from search.problem import Recipe, Step
from tests.methods.graph.skippable import Basic
from tests.search.conftest import make_context


class Digits(nn.Module):
    """Two residual blocks between a stem and a head, for images of 8x8."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.blocks = nn.Conv2d(1, 4, 3), nn.ModuleList([Basic(4), Basic(4)])
        self.head = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        for block in self.blocks:
            x = F.relu(block(x))
        return self.head(x.mean((2, 3)))


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """An untrained network and the digits, on the microcontroller."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("residual") / "residual.fwm"
    write(capture(Digits(), torch.zeros(1, 1, 8, 8)), path)
    return make_context(path)


def recipe(context: Context, place: int, methods: tuple[str, ...]) -> Recipe:
    variables, _ = variables_of(context)
    return Recipe(tuple(Step(m, {v.site: v.values[place] for v in variables if v.method == m}) for m in methods))


@pytest.mark.parametrize("effort", [Effort.NONE, Effort.CHEAP])
def test_choices_inside_blocks_that_go_are_passed_over(context: Context, effort: Effort) -> None:
    """What is left gets the choices made for it."""
    methods = ("block-removal", "channel-pruning", "quantization")
    small = compress(context, recipe(context, -1, methods), effort)
    small.check()
    assert blocks(small) == {}
    assert {use.site for use in small.weight_uses()} == {"weight:stem", "weight:head"}
    assert small.quantised
    assert small.tensor("stem.weight").shape[0] == 1


def test_the_least_achievable_is_without_blocks(context: Context) -> None:
    """Nothing that is searched over is smaller than the narrowest network without any block."""
    variables, _ = variables_of(context)
    narrow = compress(context, recipe(context, -1, ("channel-pruning",)), Effort.NONE)
    for graph in strongest(context, variables):
        assert blocks(graph) == {}
        assert lower(graph).macs < lower(narrow).macs


def test_reports_say_which_layers_went_with_a_block(context: Context) -> None:
    """They need nothing any more, and name the choice."""
    step = Step("block-removal", {"block:blocks.0": "remove", "block:blocks.1": "keep"})
    rows = {
        row["name"]: row
        for row in compare_layers(context, compress(context, Recipe((step,)), Effort.NONE), Recipe((step,)))
    }
    assert rows["blocks.0.conv1"]["choices"] == {"block-removal": "remove"}
    assert rows["blocks.0.conv1"]["after"]["macs"] == 0
    assert rows["blocks.1.conv1"]["after"]["macs"] == rows["blocks.1.conv1"]["before"]["macs"]


def test_reports_say_it_in_words() -> None:
    """A block is left out or kept."""
    assert [choice_words("block-removal", value) for value in ("remove", "keep")] == ["left out", "kept"]

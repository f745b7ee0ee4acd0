"""Powers of two."""

from __future__ import annotations

import pytest
import torch

from methods.base import Data
from methods.graph.file import from_bytes, to_bytes
from methods.graph.intake.capture import capture
from methods.graph.lower import lower
from methods.graph.values import value_of
from methods.numerics.formats import FORMATS
from methods.numerics.powers import powers_of_two
from methods.power_of_two import PowerOfTwo
from methods.recovery.fine_tuning import FineTuning
from tests.zoo.catalogue import network

SITE = "weight:fc1"


@pytest.mark.parametrize("bits", [2, 5, 8])
def test_weights_are_zero_or_powers_of_two_through_training_and_files(bits: int) -> None:
    """Exactly: the mantissa of every number is a half."""
    graph = capture(*network("plain"))
    data = Data(graph.example(16), torch.arange(16) % 5)
    small = PowerOfTwo().apply(graph, {SITE: bits}, data)
    tuned = FineTuning(epochs=1).recover(small, graph, data, 0)
    for each in (small, tuned, from_bytes(to_bytes(tuned))):
        use = next(u for u in each.weight_uses() if u.site == SITE)
        found = value_of(each, use.node.args[1])
        assert set(torch.frexp(found).mantissa.abs().unique().tolist()) <= {0.0, 0.5}
        assert len(found.unique()) <= 2**bits


def test_nothing_but_weights_is_trained() -> None:
    """Levels stay where they are."""
    graph = capture(*network("plain"))
    small = PowerOfTwo().apply(graph, {SITE: 4}, Data(graph.example(2)))
    assert {n for n, _ in small.module.named_parameters()} == {n for n, _ in graph.module.named_parameters()}
    op = next(o for o in lower(small).ops if o.site == SITE)
    assert op.stored_bits == pytest.approx(3.907, abs=1e-3)


@pytest.mark.parametrize("bits", [2, 3, 4, 5])
def test_the_levels_are_those_of_the_format(bits: int) -> None:
    """The same set as data: relative to the largest power of two."""
    levels = powers_of_two(torch.tensor([0.3, -1.0]), bits)
    assert levels.pattern.tolist() == FORMATS[f"power-of-two-{bits}"].code_points().tolist()

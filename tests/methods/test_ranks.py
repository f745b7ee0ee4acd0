"""Ranks as recipes ask for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.base import BadChoice
from methods.ranks import RankChoice, at_share, rank_choice


def asked(value: float | str, count: int = 1) -> RankChoice:
    return rank_choice("some-method", "weight:a", value, count, ("energy", "vbmf"))


def test_each_way_to_ask() -> None:
    """A share, ranks, an energy, a word."""
    assert asked(0.5) == RankChoice(share=0.5)
    assert asked(1) == RankChoice(share=1.0)
    assert asked("rank:12") == RankChoice(ranks=(12,))
    assert asked("rank:8,16", 2) == RankChoice(ranks=(8, 16))
    assert asked("energy:0.95") == RankChoice(energy=0.95)
    assert asked("vbmf") == RankChoice(word="vbmf")


@pytest.mark.parametrize(
    "value", ["rank:8,16", "rank:-3", "rank:nan", "rank:inf", "energy", "energy:nan", "svd", "", 2, -1]
)
def test_what_can_not_be_is_answered_with_what_can(value: float | str) -> None:
    """Method, site, and each form with an example."""
    wanted = r"some-method at weight:a takes a share .*, 'rank:12', 'energy:0.95' or 'vbmf', not"
    with pytest.raises(BadChoice, match=wanted):
        asked(value)


def test_two_ranks_are_asked_for_in_the_order_of_the_layers() -> None:
    """The example says which is which."""
    with pytest.raises(BadChoice, match=r"'rank:8,16' \(inputs, outputs\)"):
        asked("rank:8", 2)


@given(st.lists(st.integers(1, 4096), min_size=1, max_size=3), st.floats(0.0001, 1.0))
def test_shares_round_and_never_leave_nothing(full: list[int], share: float) -> None:
    """To the nearest rank, between one and the full one."""
    for rank, most in zip(at_share(full, share), full, strict=True):
        assert 1 <= rank <= most
        assert abs(rank - share * most) <= 0.5 or rank == 1
    assert at_share(full, 1.0) == tuple(full)

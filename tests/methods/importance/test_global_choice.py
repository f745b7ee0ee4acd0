"""One threshold for all sites of a network."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from methods.base import BadChoice
from methods.importance.global_choice import kept_globally

SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=5)


@given(SIZES, st.floats(0.01, 1.0), st.integers(0, 99), st.booleans())
def test_as_many_stay_as_were_asked_for(sizes: list[int], share: float, seed: int, normalised: bool) -> None:
    """Exactly, unless that would leave a site without any; nothing that goes is worth more than what stays."""
    generator = torch.Generator().manual_seed(seed)
    scores = {str(i): torch.rand(n, generator=generator) for i, n in enumerate(sizes)}
    kept = kept_globally(scores, share, normalised)
    assert sum(map(len, kept.values())) == max(round(share * sum(sizes)), len(sizes))
    values = {site: s.double() / (s.double().norm() if normalised else 1.0) for site, s in scores.items()}
    gone = [float(v[u]) for site, v in values.items() for u in range(len(v)) if u not in kept[site]]
    extra = [float(v[u]) for site, v in values.items() for u in kept[site] if u != int(v.argmax())]
    assert max(gone, default=0.0) <= min(extra, default=1e9)


def test_the_threshold_is_the_whole_networks() -> None:
    """A site of small scores loses more; scores of each site by their norm are on a par."""
    scores = {"a": torch.tensor([4.0, 5.0, 6.0]), "b": torch.tensor([0.4, 0.5, 0.6])}
    assert kept_globally(scores, 2 / 3) == {"a": [0, 1, 2], "b": [2]}
    assert kept_globally(scores, 2 / 3, normalised=True) == {"a": [1, 2], "b": [1, 2]}
    assert kept_globally(scores, 0.1, least=2) == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5, float("nan")])
def test_a_share_that_cannot_be_is_refused(share: float) -> None:
    """With what may be."""
    with pytest.raises(BadChoice, match="above 0 and at most 1"):
        kept_globally({"a": torch.ones(3)}, share)

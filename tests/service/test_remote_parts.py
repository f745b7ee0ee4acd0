"""Requests cut into parts."""

from __future__ import annotations

from typing import Any

import pytest

from service.remote_parts import TOGETHER, joined, parts

MANY = 2 * TOGETHER + 3
HEADER: dict[str, Any] = {"action": "time", "effort": "nodes"}


def programs(count: int) -> list[bytes]:
    return [str(n).encode() for n in range(count)]


@pytest.mark.parametrize("ahead", [[], [b"disturber"], [b"gauge", b"disturber"]], ids=["alone", "disturbed", "gauged"])
def test_every_part_has_its_labels_and_what_runs_ahead(ahead: list[bytes]) -> None:
    """Each program once, under its own label; the gauge's work and what runs ahead of others come with every part."""
    header = HEADER | {"labels": [f"node {n}" for n in range(MANY)]}
    found = list(parts(header, [*ahead, *programs(MANY)]))
    assert [blobs[: len(ahead)] for _, blobs in found] == [ahead] * 3
    assert [blob for _, blobs in found for blob in blobs[len(ahead) :]] == programs(MANY)
    for part, blobs in found:
        assert part["labels"] == [f"node {blob.decode()}" for blob in blobs[len(ahead) :]]


@pytest.mark.parametrize("change", [{"effort": "networks"}, {"action": "look"}])
def test_what_belongs_together_stays_whole(change: dict[str, Any]) -> None:
    """Networks whose ratios must be fair, and looks."""
    header = HEADER | {"labels": [f"n{n}" for n in range(MANY)]} | change
    assert list(parts(header, programs(MANY))) == [(header, programs(MANY))]


def test_replies_are_put_together_in_order() -> None:
    """All measurements, and the best time of the gauge."""
    replies = [({"measurements": [{"n": n}], "gauge_s": 3.0 - n}, []) for n in range(3)]
    assert joined(replies) == ({"measurements": [{"n": 0}, {"n": 1}, {"n": 2}], "gauge_s": 1.0}, [])

"""Requests cut into parts that each lose little when an agent dies, and the replies put together again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hwmodels.profilers.channel import Reply
from hwmodels.profilers.timing import EFFORTS

TOGETHER = 16
"""Programs in one job, where they needn't all be timed in the same rounds: enough to spread each over some seconds."""


def parts(header: dict[str, Any], blobs: Sequence[bytes]) -> Iterator[Reply]:
    """The request whole, or in parts of at most TOGETHER programs."""
    if not _may_be_cut(header):
        yield header, list(blobs)
        return
    ahead = len(blobs) - len(header["labels"])  # the gauge's work and what disturbs go with each part
    for start in range(0, len(header["labels"]), TOGETHER):
        part = slice(start, start + TOGETHER)
        yield header | {"labels": header["labels"][part]}, [*blobs[:ahead], *blobs[ahead:][part]]


def joined(replies: Sequence[Reply]) -> Reply:
    """One reply of those to the parts."""
    if len(replies) == 1:
        return replies[0]
    measurements = [row for header, _ in replies for row in header["measurements"]]
    return {"measurements": measurements, "gauge_s": min(header["gauge_s"] for header, _ in replies)}, []


def _may_be_cut(header: dict[str, Any]) -> bool:
    """Only timing of single programs, each on its own terms: no fair ratios asked for."""
    if header.get("action") != "time" or len(header.get("labels", ())) <= TOGETHER:
        return False
    effort = EFFORTS.get(str(header.get("effort")))
    lists = [name for name, value in header.items() if isinstance(value, list)]
    return effort is not None and not effort.together and lists == ["labels"]

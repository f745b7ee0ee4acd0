"""What `search/inspect.py` found, in words: what the command line and the page show, worded once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search.alike import fold
from search.amounts import amount

Document = Mapping[str, Any]

NAMES_SHOWN = 4


@dataclass(frozen=True)
class Reach:
    """How far one way to act on a network reaches: shares of its multiply-accumulates and of its parameters."""

    name: str
    counted: str
    macs: float
    parameters: float


@dataclass(frozen=True)
class GroupLine:
    """Units that go together; `count` groups that are alike are one line. `goes_with` is what is cut in step."""

    site: str
    count: int
    kind: str
    units: int
    parameters: str
    made_by: str
    read_by: str
    along: str
    checked_to: str


@dataclass(frozen=True)
class BlockLine:
    """A part that can be left out; `count` of them where they are alike."""

    site: str
    count: int
    layers: str
    parameters: str
    macs: str


@dataclass(frozen=True)
class FrozenLine:
    """What stays for one reason."""

    reason: str
    count: int
    units: int
    sites: str


def headline(found: Document) -> str:
    """How much of the network can be pruned, in a sentence."""
    cover = found["coverage"]
    parameters, macs = cover["structure_share_of_parameters"], cover["structure_share_of_macs"]
    if not parameters and not macs:
        return "nothing of it can be pruned"
    return f"{share(parameters)} of the parameters and {share(macs)} of the MACs can be pruned"


def reaches(found: Document) -> list[Reach]:
    """Each way to act on the network, how often there is a place for it, and how far it reaches."""
    cover = found["coverage"]
    lines = [
        Reach(kind.capitalize(), counted(k["groups"], "group"), k["share_of_macs"], k["share_of_parameters"])
        for kind, k in cover["kinds"].items()
    ]
    for part, name, count in (
        ("blocks", "Blocks that can be left out", counted(len(found["blocks"]), "block")),
        ("weights", "Weights in another form", counted(len(found["weights"]), "layer")),
    ):
        if found[part]:
            lines.append(Reach(name, count, cover[f"{part}_share_of_macs"], cover[f"{part}_share_of_parameters"]))
    return lines


def group_lines(found: Document) -> list[GroupLine]:
    """All groups, those that are alike in one line."""
    return [
        GroupLine(
            site=g["site"],
            count=g["count"],
            kind=g["kind"],
            units=g["units"],
            parameters=amount("parameters", g["parameters"]),
            made_by=names(g["made_by"]),
            read_by=names(g["read_by"]),
            along=names(g["along"]),
            checked_to=f"{g['relative_error']:.0e}" if g["relative_error"] else "0",
        )
        for g in fold(found["groups"])
    ]


def block_lines(found: Document) -> list[BlockLine]:
    """All blocks, those that are alike in one line."""
    return [
        BlockLine(
            b["site"],
            b["count"],
            names(b["layers"]),
            amount("parameters", b["parameters"]),
            amount("macs", b["macs"]),
        )
        for b in fold(found["blocks"])
    ]


def frozen_lines(found: Document) -> list[FrozenLine]:
    """What stays, by reason."""
    reasons: dict[str, list[Document]] = {}
    for frozen in found["frozen"]:
        reasons.setdefault(re.sub(r"(?<=[a-z])_\d+\b", "", frozen["reason"]), []).append(frozen)
    return [
        FrozenLine(
            reason,
            len(these),
            sum(f["units"] for f in these),
            names([f["site"] for f in fold({"site": f["site"]} for f in these)]),
        )
        for reason, these in reasons.items()
    ]


def share(part: float) -> str:
    """A share in whole per cent; all of it, and nothing of it, only where that is so."""
    text = f"{100 * part:.0f}"
    if text in ("0", "100") and part not in (0.0, 1.0):
        text = "over 99" if text == "100" else "under 1"
    return f"{text} %"


def counted(count: int, what: str) -> str:
    """`1 group`, `3 groups`"""
    return f"{count:,} {what}{'s' if count != 1 else ''}"


def inputs_text(found: Document) -> str:
    """`x N×3×32×32 float32`"""
    return ", ".join(f"{i['name']} {'×'.join(map(str, i['shape']))} {i['dtype']}" for i in found["inputs"])


def names(found: Sequence[str]) -> str:
    """The first few names, those that are alike as one, and how many there are besides."""
    folded = found if any("{" in name for name in found) else [f["site"] for f in fold({"site": n} for n in found)]
    shown = ", ".join(folded[:NAMES_SHOWN])
    more = len(folded) - NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown

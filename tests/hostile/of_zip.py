"""Archives that lie: bombs, links, names that lead elsewhere, two stories about one member."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator

from tests.hostile import good
from tests.hostile.case import Case, Traps
from tests.hostile.zips import Member, build, deflated, rewritten

NAMES = (
    b"../graph.json",
    b"/etc/graph.json",
    b"..\\graph.json",
    b"C:/graph.json",
    b"./graph.json",
    b"a/../graph.json",
    b"graph.json/",
    b"graph.json\0.txt",
    b"GRAPH.JSON",
    b"\xff\xfe.json",
    b"",
    b"g" * 5000,
)
LIES = {
    "encrypted": {"flags": 1},
    "strongly-encrypted": {"flags": 0x40},
    "patched": {"flags": 0x20},
    "bzip2": {"method": 12},
    "lzma": {"method": 14},
    "unknown-method": {"method": 99},
    "larger": {"size": 1 << 30},
    "largest": {"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF},
    "smaller": {"size": 2},
    "negative": {"packed": 0xFFFFFFFE},
    "wrong-sum": {"crc": 1},
    "newer": {"version": 255},
}
ENDS = {
    "more": {"count": 9, "here": 9},
    "fewer": {"count": 1, "here": 1},
    "none": {"count": 0, "here": 0, "length": 0},
    "a-million": {"count": 0xFFFF, "here": 0xFFFF},
    "other-disk": {"disk": 3, "first": 3},
    "far-start": {"start": 0xFFFFFFF0},
    "long-directory": {"length": 0xFFFFFFF0},
    "early-start": {"start": 0},
    "comment": {"comment_length": 9},
}


def cases(traps: Traps) -> Iterator[Case]:
    """Around the sound `.fwm`, whose two members are what is lied about."""
    graph, weights = deflated(b"graph.json", _document()), Member(b"weights.bin", good.blob())
    for i, name in enumerate(NAMES):
        yield Case(f"name-{i}.fwm", build([deflated(name, _document()), weights]))
        yield Case(f"extra-{i}.fwm", build([graph, weights, Member(name, traps.pickled())]))
    for what, lie in LIES.items():
        both = deflated(b"graph.json", _document(), local=lie, central=lie)
        yield Case(f"both-say-{what}.fwm", build([both, weights]))
        yield Case(f"directory-says-{what}.fwm", build([deflated(b"graph.json", _document(), central=lie), weights]))
        header = build([deflated(b"graph.json", _document(), local=lie), weights])
        yield Case(f"header-says-{what}.fwm", header, refused=what != "newer")
    for what, lie in ENDS.items():
        yield Case(f"end-says-{what}.fwm", build([graph, weights], end=lie))
    yield from _layouts(graph, weights)
    yield from _bombs(weights)
    yield from _archives(traps)


def _layouts(graph: Member, weights: Member) -> Iterator[Case]:
    whole = build([graph, weights])
    link = {"external": 0o120777 << 16}
    yield Case("before.fwm", build([graph, weights], before=b"MZ" + bytes(100)))
    yield Case("after.fwm", whole + b"trailing")
    yield Case("commented.fwm", build([graph, weights], end={"comment_length": 4}, after=b"note"))
    yield Case("twice.fwm", whole + whole)
    yield Case("duplicate.fwm", build([graph, weights, graph]))
    yield Case("duplicate-other.fwm", build([graph, weights, deflated(b"graph.json", b"{}")]))
    yield Case("same-place.fwm", build([graph, deflated(b"weights.bin", good.blob(), central={"offset": 0})]))
    yield Case("overlap.fwm", build([graph, Member(b"weights.bin", good.blob(), central={"offset": 40})]))
    yield Case("far.fwm", build([graph, Member(b"weights.bin", good.blob(), central={"offset": 1 << 31})]))
    yield Case("other-name.fwm", build([deflated(b"graph.json", _document(), local_name=b"other.json"), weights]))
    yield Case("link.fwm", build([Member(b"graph.json", b"/etc/passwd", central=link), weights]))
    yield Case(
        "device.fwm", build([deflated(b"graph.json", _document(), central={"external": 0o020666 << 16}), weights])
    )
    yield Case(
        "hole.fwm", build([Member(b"graph.json", _document(), _document() + bytes(64), local={"packed": 1}), weights])
    )
    yield Case("one-member.fwm", build([graph]))
    yield Case("no-member.fwm", build([]))
    yield Case("third-member.fwm", build([graph, weights, Member(b"code/__init__.py", b"import os")]))
    yield Case("packed-weights.fwm", build([graph, deflated(b"weights.bin", good.blob())]))
    yield Case("end64.fwm", _end64(build([graph, weights]), 2))
    yield Case("end64-lies.fwm", _end64(build([graph, weights]), 1 << 40))


def _end64(data: bytes, count: int) -> bytes:
    """A 64-bit end record in the place of the plain one, which then refers to it."""
    body, end = data[:-22], struct.unpack("<4s4H2LH", data[-22:])
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, end[5], end[6] + 1)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(body), 1)
    return body + record + locator + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, *[0xFFFFFFFF] * 2, 0)


def _bombs(weights: Member) -> Iterator[Case]:
    blank = deflated(b"graph.json", b" " * (30 << 20))
    yield Case("bomb.fwm", build([blank, weights]))
    yield Case("bomb-of-weights.fwm", build([deflated(b"weights.bin", bytes(4 << 20)), weights]))
    nested = build([deflated(b"inner.zip", build([blank])), weights])
    yield Case("nested.fwm", nested)
    yield Case("nested.pt2", nested)
    many = build(Member(b"%x" % i, b"") for i in range(20_001))
    yield Case("many.fwm", many)
    yield Case("lists.fwm", good.fwm(text=b'{"nodes":[' + b"[]," * (1 << 20) + b"[]]}"))


def _archives(traps: Traps) -> Iterator[Case]:
    """The same done to a `.pt2`."""
    source = good.pt2()
    with zipfile.ZipFile(io.BytesIO(source)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    pieces = [Member(name.encode(), data) for name, data in members.items()]
    yield Case("packed.pt2", build(deflated(name.encode(), data) for name, data in members.items()))
    yield Case("duplicate.pt2", build([*pieces, pieces[0]]))
    yield Case("before.pt2", build(pieces, before=b"#!/bin/sh\n"))
    yield Case("after.pt2", source + traps.pickled())
    yield Case("link.pt2", build([*pieces, Member(b"x", b"/etc/passwd", central={"external": 0o120777 << 16})]))
    for i, name in enumerate(("../../x", "/tmp/x", "..\\x", "ROOT/../x")):
        yield Case(f"leads-elsewhere-{i}.pt2", rewritten(source, {}, {name: traps.pickled()}))
    for what in ("encrypted", "larger", "wrong-sum", "lzma"):
        first = Member(pieces[0].name, pieces[0].data, central=LIES[what])
        yield Case(f"directory-says-{what}.pt2", build([first, *pieces[1:]]))


def _document() -> bytes:
    with zipfile.ZipFile(io.BytesIO(good.fwm())) as archive:
        return archive.read("graph.json")

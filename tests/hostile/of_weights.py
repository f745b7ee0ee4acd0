"""`.fwm` files whose packed tensors lie: about sizes, codes, tables and places, and about what belongs to what."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from methods.storage.coded import Coded
from methods.storage.lookups import LookedUp
from methods.storage.payload import number
from methods.storage.plain import Plain
from methods.storage.records import Record
from tests.hostile import good
from tests.hostile.case import Case, Traps
from tests.hostile.good import DOCUMENT, NODES, call, fwm

HEAD = bytes([0, 0, 0])
"""No shared tables; the first tensor is of full numbers, float32."""
TAIL = bytes([0, 3, 0]) + bytes(6)
"""All of it kept; one number throughout."""
BLOBS = {
    "empty": b"",
    "one-byte": b"\0",
    "tables": bytes([255]) * 600,
    "table-overfull": bytes([1, 3, 0x11, 0x11]),
    "table-of-nothing": bytes([1, 3, 0, 0]),
    "form": bytes([0, 9]),
    "type": bytes([0, 0, 200, 1, 4]),
    "elements": HEAD + number(1) + number(1 << 40) + TAIL,
    "product": HEAD + number(3) + number(1 << 24) * 3 + TAIL,
    "gigabyte": HEAD + number(1) + number(1 << 28) + TAIL,
    "nothing-of-much": HEAD + number(2) + number(0) + number(1 << 29) + TAIL,
    "axes": HEAD + number(90) + number(1) * 90 + TAIL,
    "endless-number": HEAD + b"\xff" * 900,
    "places": HEAD + number(1) + number(24) + bytes([99]),
    "gaps-outside": HEAD + number(1) + number(9) + bytes([3, 4]) + number(3) + bytes([0, 9, 1]),
    "gaps-many": HEAD + number(1) + number(9) + bytes([3, 4]) + number(1 << 40),
    "factor": HEAD + number(1) + number(9) + bytes([35, 77, 77, 77]),
    "patterns": HEAD + number(2) + number(4) + number(4) + bytes([5, 4, 0, 3, 0, 9]),
    "numbers": HEAD + number(1) + number(24) + bytes([0, 77]),
    "bomb": HEAD + number(1) + number(24) + bytes([0, 2, 20]) + bytes([0x63]) + bytes(30),
    "book-outside": HEAD + number(1) + number(24) + bytes([0, 3, 0]) + bytes(4) + bytes([0, 7]),
    "scales": bytes([0, 1, 1, 24]) + number(1 << 30) + number(1),
    "look-up-outside": bytes([0, 2, 1, 24, 1, 2, 0, 3, 0]) + bytes(4) + bytes([0, 0, 0, 200]),
    "rule": bytes([0, 2, 1, 24, 1, 2, 4, 3, 0]) + bytes(4) + bytes([0, 0, 1, 99]),
}


def cases(traps: Traps) -> Iterator[Case]:
    """Blobs that no writer makes, sound ones that don't fit their table, and packed ones with bytes changed."""
    for what, blob in BLOBS.items():
        yield Case(f"blob-{what}.fwm", fwm(weights=blob))
    for size in range(1, len(good.blob()), 11):
        yield Case(f"blob-cut-{size}.fwm", fwm(weights=good.blob()[:size]))
    yield Case("blob-longer.fwm", fwm(weights=good.blob() + bytes(9)))
    yield Case("blob-pickle.fwm", fwm(weights=traps.pickled()))
    yield Case("blob-one-less.fwm", fwm(weights=good.blob(*good.RECORDS[:2])))
    yield Case("blob-one-more.fwm", fwm(weights=good.blob(*good.RECORDS, good.RECORDS[0])))
    yield from _tables()
    yield from _patterns()
    yield from _changed()


def _packed() -> tuple[dict[str, Any], list[Record]]:
    """A sound document and its tensors: codes, full numbers, and a look-up with a mask."""
    codes = np.arange(24).reshape(6, 4) % 5
    scale, zero = np.linspace(0.1, 0.2, 6, dtype=np.float32), np.ones(6, np.int32)
    mask = np.arange(18).reshape(3, 6) % 4 == 0
    book = np.linspace(-1, 1, 3, dtype=np.float32)
    table = {
        "fc.weight": [1, {"scale": "s", "zero": "z"}],
        "fc.bias": 1,
        "book": [1, {"indices": "i", "mask": "m"}],
    }
    rows = [
        ["book", "get_attr", "book", [], {}],
        ["i", "get_attr", "i", [], {}],
        ["m", "get_attr", "m", [], {}],
        call("aten.index_select.default", "%book", 0, "%i", name="flat"),
        call("aten.view.default", "%flat", [3, 6], name="looked_up"),
        call("aten.mul.Tensor", "%looked_up", "%m", name="w2"),
    ]
    nodes = [row for node in NODES for row in (rows if node[0] == "w2" else [node])]
    look_up = LookedUp(book, (np.arange(18) % 3).astype(np.int32), (3, 6), mask)
    return {"tensors": table, "nodes": nodes}, [Coded(codes, scale, zero, 4), good.RECORDS[1], look_up]


def _tables() -> Iterator[Case]:
    """What tensors are said to belong together."""
    document, records = _packed()
    rows: dict[str, Any] = {
        "text": "1",
        "number": 7,
        "list": [1, {}, 3],
        "nothing": None,
        "unknown-role": [1, {"forward": "x"}],
        "role-it-lacks": [1, {"signs": "x"}],
        "number-name": [1, {"scale": 3}],
        "code-name": [1, {"scale": "__import__('os')"}],
        "leading-name": [1, {"scale": "../../etc/passwd"}],
        "same-name": [1, {"scale": "fc.bias"}],
        "own-name": [1, {"scale": "fc.weight"}],
        "two-alike": [1, {"scale": "s", "zero": "s"}],
        "no-factors": [1, {"scale": "s", "zero": "z", "factors": "nowhere"}],
        "own-factors": [1, {"scale": "s", "zero": "z", "factors": "fc.weight"}],
        "odd-factors": [1, {"scale": "s", "zero": "z", "factors": [1]}],
        "unfit-factors": [1, {"scale": "s", "zero": "z", "factors": "i"}],
    }
    for what, row in rows.items():
        yield Case(
            f"table-{what}.fwm",
            fwm(document | {"tensors": document["tensors"] | {"fc.weight": row}}, weights=good.blob(*records)),
        )
    many = {f"t{i}": 1 for i in range(100_001)}
    yield Case("table-many.fwm", fwm({"tensors": many}, weights=bytes(1 << 20)))
    yield Case("table-order.fwm", fwm({"tensors": dict(reversed(DOCUMENT["tensors"].items()))}))


def _patterns() -> Iterator[Case]:
    """Rules of masks that are none."""
    odd = ("0:0", "4:2:1", "block:0x0", "block:9999999999x1", "strided:0", "import os", "2:4\n", "a" * 5000)
    for i, pattern in enumerate(odd):
        yield Case(f"pattern-{i}.fwm", fwm({"patterns": {"fc.weight": pattern}}))
    for i, table in enumerate(([], 7, {"fc.weight": 3}, {"fc.weight": None})):
        yield Case(f"patterns-{i}.fwm", fwm({"patterns": table}))


def _changed() -> Iterator[Case]:
    """The packed network with a byte changed, its checksums right: harmless, or refused in words."""
    document, records = _packed()
    whole = good.blob(*records)
    numbers = random.Random(0)
    yield Case("packed.fwm", fwm(document, weights=whole), refused=False)
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= numbers.randrange(1, 256)
        yield Case(f"packed-{place}.fwm", fwm(document, weights=bytes(changed)), refused=False)
    blank = good.blob(Plain(np.zeros((6, 4), np.float32)), *good.RECORDS[1:])
    yield Case("packed-zeros.fwm", fwm(weights=blank), refused=False)

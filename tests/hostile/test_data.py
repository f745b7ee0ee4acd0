"""Data sets that anybody may send: refused in words by the reader itself, whatever process it runs in."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from search.data import DataError, load_upload
from tests.hostile.zips import Member, build, deflated


def npy(shape: str, kind: str = "'<f4'", data: bytes = b"", pad: int = 0) -> bytes:
    """An array as numpy writes it, with any text for its shape and type."""
    header = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}".encode() + b" " * pad + b"\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + data


def array(*more: object, **changes: object) -> bytes:
    """An .npz of one such array."""
    return build([Member(b"x.npy", npy(*more, **changes))])  # type: ignore[arg-type]


IMAGE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0) + bytes(30)
PICKLE = b"cos\nsystem\n(S'touch canary'\ntR."
LINK = {"external": 0o120777 << 16}
HOSTILE = {
    "bomb.npz": build([deflated(b"x.npy", npy("(4096,)", data=bytes(1 << 24)))]),
    "overflow.npz": array("(1 << 62, 4)"),
    "large.npz": array(f"({1 << 62}, 4)"),
    "negative.npz": array("(-1, 4)"),
    "objects.npz": array("(1,)", "'|O'", PICKLE),
    "code.npz": array("__import__('os').system('touch canary')"),
    "deep.npz": array("(" * 2000 + ")" * 2000),
    "long.npz": array("(1,)", pad=60_000, data=bytes(4)),
    "structure.npz": array("(1,)", "[('a', '<f4', (1000000, 1000000))]"),
    "truth.npz": array("(True,)", data=bytes(4)),
    "encrypted.npz": build([Member(b"x.npy", npy("(1,)", data=bytes(4)), local={"flags": 1}, central={"flags": 1})]),
    "nested.npz": build([Member(b"x.npz", array("(1,)", data=bytes(4)))]),
    "duplicate.npz": build([Member(b"x.npy", npy("(1,)", data=bytes(4)))] * 2),
    "pixels.zip": build([Member(b"a/x.png", IMAGE)]),
    "outside.zip": build([Member(b"../x.png", b"x")]),
    "link.zip": build([Member(b"a/x.png", b"/etc/passwd", central=LINK)]),
    "overlap.zip": build([Member(b"a/x.png", b"x"), Member(b"b/y.png", b"y", central={"offset": 0})]),
    "pickle.npz": PICKLE,
    "empty.npz": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_data_is_refused_in_words(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A DataError, and nothing is executed, read elsewhere or unpacked without end."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(HOSTILE[name])
    with pytest.raises(DataError, match=r"npz|zip|png"):
        load_upload(tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == [name]

"""Pickles under every name, files of other kinds, and sound files cut short or with bytes changed."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from collections.abc import Iterator

import numpy as np
import torch

from tests.hostile import good
from tests.hostile.case import Case, Payload, Traps
from tests.hostile.zips import Member, build

SUFFIXES = (*("fwm", "pt2", "onnx"), *("pt", "pth", "pkl", "pickle", "ckpt", "bin", "joblib", "h5", "keras", "npy"))
CONTAINERS = ("npz", "safetensors", "zip", "tflite", "dat")
CUTS, FLIPS = 24, 30


def cases(traps: Traps) -> Iterator[Case]:
    """Nothing here is a model, except where a changed byte happens not to matter."""
    yield from _pickles(traps)
    yield from _kinds(traps)
    whole = {"fwm": good.fwm(), "pt2": good.pt2(), "onnx": good.onnx_file()}
    for suffix, data in whole.items():
        for i in range(CUTS):
            yield Case(f"cut-{i}.{suffix}", data[: len(data) * i // CUTS], refused=suffix != "onnx")
        numbers = random.Random(0)
        for i in range(FLIPS):
            changed = bytearray(data)
            changed[len(data) * i // FLIPS + numbers.randrange(len(data) // FLIPS)] ^= 1 << numbers.randrange(8)
            yield Case(f"flip-{i}.{suffix}", bytes(changed), refused=False)
        for other in whole:
            if other != suffix:
                yield Case(f"really-{suffix}.{other}", data, refused=False)


def _pickles(traps: Traps) -> Iterator[Case]:
    saved, legacy, objects = io.BytesIO(), io.BytesIO(), io.BytesIO()
    torch.save({"weights": Payload(traps.canary)}, saved)
    torch.save(Payload(traps.canary), legacy, _use_new_zipfile_serialization=False)
    np.save(objects, np.array([Payload(traps.canary)], dtype=object), allow_pickle=True)
    kinds = {"new": traps.pickled(4), "old": traps.pickled(0), "saved": saved.getvalue(), "legacy": legacy.getvalue()}
    for suffix in SUFFIXES + CONTAINERS:
        for what, data in kinds.items():
            yield Case(f"pickle-{what}.{suffix}", data)
    for suffix in ("fwm", "pt2", "npz", "npy"):
        yield Case(f"objects.{suffix}", objects.getvalue())
    script = [Member(b"m/data.pkl", traps.pickled()), Member(b"m/code/__torch__.py", traps.code.encode())]
    yield Case("script.pt", build(script))
    yield Case(
        "scripted.pt2", build([*script, Member(b"m/models/model.json", b"{}"), Member(b"m/byteorder", b"little")])
    )
    yield Case("pickle.fwm.gz", gzip.compress(traps.pickled(), mtime=0))


def _kinds(traps: Traps) -> Iterator[Case]:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("../secret.bin")
        entry.type, entry.linkname = tarfile.SYMTYPE, str(traps.secret)
        archive.addfile(entry)
    kinds = {
        "empty": b"",
        "one-byte": b"P",
        "mark-only": b"PK\x03\x04",
        "no-members": b"PK\x05\x06" + bytes(18),
        "png": b"\x89PNG\r\n\x1a\n" + bytes(200),
        "page": b"<!doctype html><script>alert(1)</script>",
        "script": f"import os\n{traps.code}\n".encode(),
        "program": b"\x7fELF\x02\x01\x01" + bytes(500),
        "shell": f"#!/bin/sh\ntouch {traps.canary}\n".encode(),
        "blank": bytes(1 << 16),
        "noise": random.Random(1).randbytes(4096),
        "tar": packed.getvalue(),
        "yaml": f"!!python/object/apply:os.system ['touch {traps.canary}']".encode(),
        "database": b"SQLite format 3\0" + bytes(200),
        "seven": b"7z\xbc\xaf\x27\x1c" + bytes(100),
    }
    for what, data in kinds.items():
        for suffix in ("fwm", "pt2", "onnx"):
            yield Case(f"{what}.{suffix}", data)
    for name in (
        "model.fwm;rm -rf",
        "$(touch x).fwm",
        " .fwm",
        "...fwm",
        "-rf.fwm",
        "ü\u202efwm.pt2",
        "a" * 200 + ".fwm",
    ):
        yield Case(name, traps.pickled(0))
    yield Case(b"\xff\xfe\xfa.fwm".decode("utf-8", "surrogateescape"), traps.pickled(0))

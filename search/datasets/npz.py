"""Reads an .npz without trusting it: nothing unpickled, nothing allocated before its size is known to be fair.

An .npz is a zip of .npy files, each with a header that declares dtype and shape (NEP 1, numpy.lib.format).
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.lib import format as npy

from search.datasets.checks import Found, make_dataset
from search.datasets.dataset import Array, DataError, Dataset

LIMIT_BYTES = 2 * 2**30
"""Largest data set that is read, in bytes once unpacked."""
MEMBERS = 64
HEADER = 4096
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, TypeError, OSError, NotImplementedError, RuntimeError)
"""What zipfile and numpy raise for damaged, encrypted or unknown content."""
KEY = re.compile(r"(x[0-9]*|y)(_train|_test|)")
WANTED = "x and y, or x_train, y_train, x_test and y_test (x0, x1, ... for several inputs; y may be left out)"


def read_npz(path: Path, limit_bytes: int = LIMIT_BYTES) -> Dataset:
    """A Dataset from the arrays of an .npz: `x`, `y`, or `x_train`, `y_train`, `x_test`, `y_test`.

    Several inputs are `x0`, `x1`, ...; without `y` the samples have no labels. Raises DataError.
    """
    arrays = read_arrays(path, limit_bytes)
    unknown = [key for key in arrays if not KEY.fullmatch(key)]
    if unknown or not arrays:
        found = f"holds {', '.join(map(repr, unknown))}" if unknown else "holds no arrays"
        raise DataError(f"{path.name} {found}; name the arrays {WANTED}")
    suffixes = {key.partition("_")[2] for key in arrays}
    if suffixes not in ({""}, {"train"}, {"train", "test"}):
        raise DataError(
            f"{path.name} holds {', '.join(sorted(arrays))}, which don't go together; it should hold {WANTED}"
        )
    if suffixes == {""}:
        return make_dataset(path.stem, _found(path, arrays, ""))
    test = _found(path, arrays, "_test") if "test" in suffixes else None
    return make_dataset(path.stem, _found(path, arrays, "_train"), test)


def read_arrays(path: Path, limit_bytes: int = LIMIT_BYTES) -> dict[str, Array]:
    """Every array of an .npz by name. Raises DataError, naming the array, for objects, damage and excess."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(path, archive, limit_bytes)
    except DataError:
        raise
    except BROKEN as error:
        raise DataError(f"{path.name} can't be read as .npz ({error}); save it again with numpy.savez") from error


def _read(path: Path, archive: zipfile.ZipFile, limit_bytes: int) -> dict[str, Array]:
    members = archive.infolist()
    names = [member.filename.removesuffix(".npy") for member in members]
    if len(members) > MEMBERS or len(set(names)) != len(names):
        raise DataError(f"{path.name} holds {len(members)} files or the same twice; an .npz here has at most {MEMBERS}")
    total = 0
    for member in members:
        total += _declared(path, archive, member)
        if total > limit_bytes:
            raise DataError(
                f"{path.name} unpacks to more than {limit_bytes / 2**20:.0f} MiB ({member.filename} alone to "
                f"{_declared(path, archive, member) / 2**20:.0f}); give fewer samples, or samples of a smaller dtype"
            )
    return {name: _array(path, archive, member) for name, member in zip(names, members)}


def _declared(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Bytes of an array as its header declares them, from the first few bytes of the member."""
    name = member.filename.removesuffix(".npy")
    if name == member.filename:
        raise DataError(f"{path.name} holds {member.filename!r}, which isn't an array; save it with numpy.savez")
    with archive.open(member) as file:
        shape, dtype = _header(file)
        start = file.tell()
    if dtype.hasobject:
        raise DataError(f"{name} in {path.name} holds Python objects, which are never unpickled; save plain numbers")
    size = dtype.itemsize
    for length in shape:
        size *= length
    if member.file_size != start + size:
        raise DataError(f"{name} in {path.name} is damaged: {member.file_size - start} bytes stored, {size} declared")
    return size


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    version = npy.read_magic(file)
    if version != (1, 0):  # later ones allow headers of any size, and plain numbers never need them
        raise ValueError(f"array format {version[0]}.{version[1]} is not known here")
    shape, _, dtype = npy.read_array_header_1_0(file, max_header_size=HEADER)
    return shape, dtype


def _array(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    try:
        with archive.open(member) as file:
            array = cast(Array, npy.read_array(file, allow_pickle=False, max_header_size=HEADER))
            file.read(1)  # reaches the end, where the checksum is compared
            return array
    except BROKEN as error:
        raise DataError(f"{member.filename} in {path.name} is damaged ({error}); save it again") from error


def _found(path: Path, arrays: Mapping[str, Array], suffix: str) -> Found:
    """Inputs in order and labels of one part."""
    keys = [f"x{suffix}"] if f"x{suffix}" in arrays else []
    if not keys:
        while (key := f"x{len(keys)}{suffix}") in arrays:
            keys.append(key)
    stray = [
        k for k in arrays if k.startswith("x") and k.removeprefix("x").lstrip("0123456789") == suffix and k not in keys
    ]
    if stray or not keys:
        raise DataError(
            f"{path.name} holds {', '.join(stray) or 'labels only'}"
            f"; samples are x{suffix}, or x0{suffix}, x1{suffix}, ... without a gap"
        )
    return [arrays[key] for key in keys], arrays.get(f"y{suffix}")

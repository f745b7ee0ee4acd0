"""What a `.fwm` file holds, taken apart without trusting it: caps before anything is unpacked or parsed."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable
from math import prod
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load

from methods.graph.archive import open_archive, read_json
from methods.graph.nodes_json import BadFile
from methods.storage.payload import read_shape

FORMAT = 1
GRAPH, WEIGHTS = "graph.json", "weights.safetensors"
MAX_GRAPH_BYTES, MAX_HEADER_BYTES, MAX_TENSOR_BYTES, MAX_TENSORS = 64 << 20, 32 << 20, 8 << 30, 100_000


def members(data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The document and the arrays, by key. Raises BadFile."""
    if not data:
        raise BadFile("is empty")
    if data[:4] != b"PK\x03\x04":
        raise BadFile("is not a .fwm file. Make one with `fitwright capture my_model.py:make_model --input 1x3x32x32`")
    with open_archive(io.BytesIO(data), deflated=True) as archive:
        infos = {i.filename: i for i in archive.infolist()}
        if set(infos) != {GRAPH, WEIGHTS}:
            raise BadFile(f"must hold {GRAPH} and {WEIGHTS} and nothing else")
        if infos[GRAPH].file_size > MAX_GRAPH_BYTES or infos[WEIGHTS].compress_type != zipfile.ZIP_STORED:
            raise BadFile("its graph is too large or its weights are compressed, which a .fwm file's never are")
        try:
            text, weights = archive.read(GRAPH), archive.read(WEIGHTS)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise BadFile(f"is truncated or damaged ({str(error)[:120]})") from error
    document = read_json(text, GRAPH)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BadFile(f"is not of format {FORMAT}")
    arrays = _arrays(weights)
    _check_tensors(document["tensors"], arrays)
    return document, arrays


def _arrays(weights: bytes) -> dict[str, Any]:
    """The arrays of a safetensors file, whose header is held against a limit before it is parsed."""
    length = struct.unpack("<Q", weights[:8])[0] if len(weights) >= 8 else 0
    if not 2 <= length <= min(MAX_HEADER_BYTES, len(weights) - 8):
        raise BadFile(f"its weights are damaged: a header of {length:,} bytes")
    try:
        return load(weights)
    except (SafetensorError, UnicodeDecodeError, RuntimeError) as error:
        raise BadFile(f"its weights can't be read ({str(error)[:120]})") from error


def _check_tensors(entries: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Every array is used once, and what is packed doesn't unpack to more than MAX_TENSOR_BYTES."""
    keys = [entry[0] for entry in entries.values()]
    if len(keys) > MAX_TENSORS or sorted(keys) != sorted(arrays):
        raise BadFile("its tensors and its arrays are not the same, one by one")
    total = 0
    for name, entry in entries.items():
        total += arrays[entry[0]].nbytes if entry[1] == "raw" else 8 * prod(read_shape(entry[3]))
        if total > MAX_TENSOR_BYTES:
            raise BadFile(f"unpacks to more than {MAX_TENSOR_BYTES >> 30} GiB, {str(name)[:60]!r} among it")


def words(value: Any, kind: type[Iterable[Any]]) -> list[str]:
    """The texts in a list, or the keys of a table. Raises BadFile for anything else."""
    found: list[Any] = list(value) if isinstance(value, kind) else [None]
    if not all(isinstance(w, str) and w.isprintable() for w in found):
        raise BadFile(f"holds {str(value)[:60]!r} where texts should be")
    return found

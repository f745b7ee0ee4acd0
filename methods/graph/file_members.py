"""What a `.fwm` file holds, taken apart without trusting it: caps before anything is unpacked or parsed."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any

from methods.graph.archive import open_archive, read_json
from methods.graph.nodes_json import BadFile

FORMAT = 2
GRAPH, WEIGHTS = "graph.json", "weights.bin"
MAX_GRAPH_BYTES, MAX_TENSORS = 64 << 20, 100_000


def members(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The document, and the blob of its packed tensors. Raises BadFile."""
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
    if not isinstance(document["tensors"], dict) or len(document["tensors"]) > MAX_TENSORS:
        raise BadFile(f"its tensors are no table, or more than {MAX_TENSORS}")
    return document, weights


def words(value: Any, kind: type[Iterable[Any]]) -> list[str]:
    """The texts in a list, or the keys of a table. Raises BadFile for anything else."""
    found: list[Any] = list(value) if isinstance(value, kind) else [None]
    if not all(isinstance(w, str) and w.isprintable() for w in found):
        raise BadFile(f"holds {str(value)[:60]!r} where texts should be")
    return found

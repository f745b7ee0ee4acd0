"""One tensor in a blob: its shape, where it is kept, and what stands there, in whichever form takes the fewest bytes.

A tensor is VALUES (full numbers, whole numbers with scales, or a look-up in a book) at POSITIONS (`positions.py`), its
symbols CODED with fixed width or by Huffman (`symbols.py`, `pool.py`). Decoding gives back bit for bit what went in.
"""

from __future__ import annotations

from methods.storage import coded, lookups, plain
from methods.storage.coded import Coded
from methods.storage.lookups import LookedUp
from methods.storage.payload import Reader
from methods.storage.plain import Plain
from methods.storage.symbols import Pieces

Record = Plain | Coded | LookedUp

PLAIN, CODED, LOOKED_UP = range(3)


def encode(record: Record) -> Pieces:
    """The pieces of one tensor. Raises StorageError where it can't be stored in this form."""
    if isinstance(record, Plain):
        return [bytes([PLAIN]), *plain.encode(record)]
    if isinstance(record, Coded):
        return [bytes([CODED]), *coded.encode(record)]
    return [bytes([LOOKED_UP]), *lookups.encode(record)]


def decode(reader: Reader) -> Record:
    """The tensor that comes next. Raises StorageError for anything that `encode` would not have written."""
    form = reader.number(PLAIN, LOOKED_UP, "form")
    if form == PLAIN:
        return plain.decode(reader)
    return coded.decode(reader) if form == CODED else lookups.decode(reader)

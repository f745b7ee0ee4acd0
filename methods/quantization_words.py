"""The words that quantisation is chosen by: `int8`, `w4`, `w4g32`, `w4a8`, `fp8-e4m3`; what each means, and reading
them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from methods.base import BadChoice, Value
from methods.numerics.formats import FORMATS

LEAVE = "fp32"
INTEGER = "int8"
WIDTHS = (2, 3, 4, 5, 6, 7, 8, 16)
"""Bits that weights and activations may have."""
STORAGE_WORDS = ("w8", "w4", "w2")
"""Words that a search may offer beside `int8` where the file is what matters."""
PATTERN = re.compile(r"w(\d{1,2})(?:a(\d{1,2}))?(?:g(\d{1,4}))?")
MIXED_WORDS = {"w4a8": "int4x8", "w4a4": "int4", "w2a4": "int2x4", "w2a2": "int2"}
"""Words that a search is offered on a device with this arithmetic (`Device.macs_per_s`)."""
FLOAT_BITS = 32
FLOATS = tuple(name for name, row in FORMATS.items() if row.kind == "float" and row.bits <= 8)
"""Small float formats, for weights alone."""
TAKES = (
    "fp32 (leave it), int8 (weights and activations in 8 bits), or a word such as w4 (weights in 4 bits), w4g32 (a "
    "scale for every 32 of them) or w4a8 (activations in 8 bits too), widths 2 to 8 and 16; or a float format for "
    f"weights: {', '.join(FLOATS)}"
)


@dataclass(frozen=True)
class Word:
    """What a word asks for.

    Attributes:
        weights: bits of a weight. activations: bits of what goes in and comes out; 32 leaves them in floats.
        group: weights that share a scale along the unfolded input axis; 0 leaves that to the granularity.
        floats: the float format of the weights, empty for integers.
    """

    weights: int
    activations: int = FLOAT_BITS
    group: int = 0
    floats: str = ""

    @property
    def weight_only(self) -> bool:
        """Whether activations stay in floats."""
        return self.activations == FLOAT_BITS


def read_word(method: str, site: str, value: Value) -> Word | None:
    """What a choice means, None where it leaves the layer as it is. Raises BadChoice, naming site and remedy."""
    if value == LEAVE:
        return None
    if value == INTEGER:
        return Word(8, 8)
    if value in FLOATS:
        return Word(FORMATS[str(value)].bits, floats=str(value))
    match = PATTERN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise BadChoice(f"{method} at {site} takes {TAKES}; not {value!r:.40}")
    weights, activations, group = (int(part) if part else 0 for part in match.groups())
    if weights not in WIDTHS or (match[2] and activations not in WIDTHS) or (match[3] and group < 2):
        raise BadChoice(f"{method} at {site} takes {TAKES}, groups are of 2 weights or more; not {value!r:.40}")
    return Word(weights, activations or FLOAT_BITS, group)


def check_group(method: str, site: str, word: Word, inputs: int) -> None:
    """Raises BadChoice where groups don't divide the weights of an output, of which there are `inputs`."""
    if word.group and inputs % word.group:
        fits = [size for size in range(2, min(inputs, 4096) + 1) if inputs % size == 0]
        near = sorted(fits, key=lambda size: abs(size - word.group))[:3]
        remedy = f"groups of {', '.join(map(str, sorted(near)))} do" if near else "leave the group out"
        raise BadChoice(f"{method} at {site}: groups of {word.group} don't divide its {inputs} inputs; {remedy}")

"""What a choice does, in words: `keeps 50 % of the channels`, `16 shared values (4 bits)`, `4-bit weights`."""

from __future__ import annotations

import re
from collections.abc import Callable

RANKS = ("low-rank", "separable", "tucker-2")
WORDS = {"remove": "left out", "keep": "kept", "replace": "depthwise and pointwise", "int8": "8-bit integers"}
ROUNDED = re.compile(r"w(\d+)(?:a(\d+))?(?:g(\d+))?")


def choice_words(method: str, chosen: object) -> str:
    """What a choice does; as it stands in the recipe, where there are no better words.

    `method` may say of what: `channel-pruning of heads`.
    """
    method, _, units = method.partition(" of ")
    if isinstance(chosen, float | int) and not isinstance(chosen, bool):
        tell = NUMBERS.get(method)
        return tell(float(chosen), units) if tell else str(chosen)
    word = str(chosen)
    found = ROUNDED.fullmatch(word) if method in ("quantization", "dorefa") else None
    return _rounded(*found.groups()) if found else WORDS.get(word, word)


def _kept(units: str) -> Callable[[float, str], str]:
    def tell(chosen: float, of: str) -> str:
        kept = f"{chosen:.3g}" if chosen > 1 else f"{100 * chosen:.4g} %"
        return f"keeps {kept} of the {of or units}"

    return tell


def _rounded(weights: str, activations: str | None, group: str | None) -> str:
    parts = [f"{weights}-bit weights", f"groups of {group}" if group else ""]
    return ", ".join(part for part in (*parts, f"{activations}-bit activations" if activations else "") if part)


def _ranked(chosen: float, of: str) -> str:  # noqa: ARG001
    return f"{100 * chosen:.4g} % of the full rank"


NUMBERS: dict[str, Callable[[float, str], str]] = {
    "channel-pruning": _kept("channels"),
    "sparsity": _kept("weights"),
    **dict.fromkeys(RANKS, _ranked),
    "weight-sharing": lambda chosen, _: f"{2 ** int(chosen)} shared values ({int(chosen)} bits)",
    "circulant": lambda chosen, _: f"circulant blocks of {int(chosen)}",
    "hashing": lambda chosen, _: f"{100 * chosen:.4g} % as many values",
    "power-of-two": lambda chosen, _: f"powers of two in {int(chosen)} bits",
}
"""Method -> words for a number that was chosen, and what is counted."""

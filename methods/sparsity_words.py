"""What a choice of sparsity says: a share of single weights that stays, or a word for a pattern.

| value | what stays |
|---|---|
| 0.25 | a quarter of the single weights |
| "2:4" | two of every four weights along the unfolded inputs |
| "block:4x1:0.5" | half of the blocks of four outputs x one input; what no whole block covers stays |
| "row:0.5", "column:0.5", "kernel:0.5" | half of the outputs, of the unfolded inputs, of the kernels |
| "strided:2", "strided:3:1" | every second (third) place of a kernel along each axis; with an offset of its own |
| "pattern:4" | four weights of each kernel, in one of a few patterns |
| "pattern:4+kernel:0.5", "strided:2+kernel:0.5" | the same, in half of the kernels |

At least one unit always stays. A block is cut to the matrix where that is smaller. The kernels of a linear layer are
its single weights; patterns inside of kernels it can't have.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from methods.base import Value
from methods.numerics.kernel_patterns import connected, pattern_kernels, strided, strided_left
from methods.numerics.patterns import (
    Mask,
    Scores,
    Shape,
    best,
    blocks,
    blocks_of,
    columns,
    kernels,
    n_of_m,
    n_of_m_left,
    rows,
    units_left,
)

TAKES = (
    "a share above 0 and up to 1 (1 leaves it as is), or a pattern such as '2:4', 'block:4x1:0.5', 'row:0.5', "
    "'column:0.5', 'kernel:0.5', 'strided:2', 'pattern:4' or 'pattern:4+kernel:0.5'"
)
SHARE = r"(\d*\.?\d+)"
LINES = {"row": rows, "column": columns, "kernel": kernels}


@dataclass(frozen=True)
class Rule:
    """Which weights stay, for a weight's shape: `left` counts them, `mask` finds them from scores.

    `stored` is how positions are named in plans and files: empty where any weights may be those.
    """

    stored: str
    left: Callable[[Shape], int]
    mask: Callable[[Scores], Mask]


def rule(value: Value, patterns: int = 8) -> Rule | None:
    """The rule of a value; None for 1, which leaves all as it is. Raises ValueError for what is no rule.

    `patterns` is how many different ones the kernels of a layer may have.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("neither a share nor a word")
    if not isinstance(value, str):
        return None if value == 1 else _single(_share(value))
    for form, make in _FORMS:
        found = re.fullmatch(form, value)
        if found:
            return make(patterns, *found.groups())
    raise ValueError("no such pattern")


def partway(value: Value, progress: float) -> Value:
    """The same with a larger share, as far on the way from 1 as `progress` from 0 to 1 says. What has no share, or has
    one inside patterns, is left out (1) until the end."""
    if progress >= 1.0:
        return value
    if not isinstance(value, str):
        return 1.0 - (1.0 - value) * progress
    word, _, share = value.rpartition(":")
    if not word.startswith(("row", "column", "kernel", "block")):
        return 1.0
    return f"{word}:{1.0 - (1.0 - _share(share)) * progress:.6f}"


def _share(text: str | float) -> float:
    share = float(text)
    if not 0.0 < share <= 1.0:
        raise ValueError(f"{share:g} is no share")
    return share


def _some(units: int, share: float) -> int:
    return max(1, units_left(units, share))


def _single(share: float) -> Rule:
    def left(shape: Shape) -> int:
        return _some(prod(shape), share)

    return Rule("", left, lambda scores: best(scores, left(scores.shape)))


def _n_of_m(_: int, n: str, m: str) -> Rule:
    few, many = int(n), int(m)
    if not 1 <= few <= many:
        raise ValueError(f"{few} of every {many} weights can't stay")
    return Rule(f"{few}:{many}", lambda shape: n_of_m_left(shape, few, many), lambda scores: n_of_m(scores, few, many))


def _block(_: int, height: str, width: str, share: str) -> Rule:
    part = _share(share)
    if not int(height) or not int(width):
        raise ValueError("a block has at least one row and one column")

    def size(shape: Shape) -> tuple[int, int]:
        return min(int(height), shape[0]), min(int(width), prod(shape[1:]))

    def left(shape: Shape) -> int:
        units = blocks_of(shape, *size(shape))
        return prod(shape) - (units - _some(units, part)) * prod(size(shape))

    def mask(scores: Scores) -> Mask:
        shape = size(scores.shape)
        return blocks(scores, *shape, _some(blocks_of(scores.shape, *shape), part))

    return Rule(f"block:{height}x{width}", left, mask)


def _line(_: int, kind: str, share: str) -> Rule:
    part = _share(share)

    def units(shape: Shape) -> int:
        return {"row": shape[0], "column": prod(shape[1:]), "kernel": prod(shape[:2])}[kind]

    def left(shape: Shape) -> int:
        return _some(units(shape), part) * (prod(shape) // units(shape))

    return Rule(kind, left, lambda scores: LINES[kind](scores, _some(units(scores.shape), part)))


def _strided(_: int, stride: str, offset: str | None) -> Rule:
    step, start = int(stride), None if offset is None else int(offset)

    def left(shape: Shape) -> int:
        _check_kernel(shape)
        return prod(shape[:2]) * strided_left(shape[2:], step, start)

    return Rule(f"strided:{step}", left, lambda scores: strided(scores, step, start))


def _pattern(patterns: int, entries: str) -> Rule:
    def left(shape: Shape) -> int:
        _check_kernel(shape)
        if not 1 <= int(entries) <= prod(shape[2:]):
            raise ValueError(f"a kernel of {prod(shape[2:])} weights can't keep {entries}")
        return prod(shape[:2]) * int(entries)

    return Rule(f"pattern:{entries}", left, lambda scores: pattern_kernels(scores, int(entries), patterns))


def _with_kernels(patterns: int, inner: str, share: str) -> Rule:
    inside, part = rule(inner, patterns), _share(share)
    assert inside is not None

    def left(shape: Shape) -> int:
        return inside.left(shape) // prod(shape[:2]) * _some(prod(shape[:2]), part)

    def mask(scores: Scores) -> Mask:
        return connected(scores, inside.mask(scores), _some(prod(scores.shape[:2]), part))

    return Rule(f"{inside.stored}+kernel", left, mask)


def _check_kernel(shape: Shape) -> None:
    if len(shape) < 3:
        raise ValueError(
            "a linear layer has no places in its kernels; a share, '2:4', 'row:0.5' and 'column:0.5' fit it"
        )


_FORMS: tuple[tuple[str, Callable[..., Rule]], ...] = (
    (r"(\d+):(\d+)", _n_of_m),
    (rf"block:(\d+)x(\d+):{SHARE}", _block),
    (rf"(row|column|kernel):{SHARE}", _line),
    (r"strided:(\d+)(?::(\d+))?", _strided),
    (r"pattern:(\d+)", _pattern),
    (rf"((?:pattern|strided):[\d:]+)\+kernel:{SHARE}", _with_kernels),
)

"""How many bits a weight takes on disk: its values at the width of their form, and where the kept ones stand.

An estimate for plans, from what an operator says of its form. Free masks come within `MARGIN` of their entropy, N:M and
kernels within it of the count of their patterns; Huffman codes of the values, which depend on the weights, save more.
"""

from __future__ import annotations

from math import comb, log2, prod

from hwmodels.workload import Op

MARGIN = 1.04
"""By how much the file's positions exceed the fewest bits that any code of independent places takes."""
PATTERN_BITS = 3.0
"""For the choice of a kernel's pattern out of the eight that a layer usually has."""


def stored_bits_per_weight(op: Op, width: float = 0.0) -> float:
    """Bits of each weight of an operator, zeros included, in the packed file; or with values of another width."""
    value = width or op.stored_bits or op.weights[0].bits
    return float(min(op.density * value + position_bits(op), value))


def position_bits(op: Op) -> float:
    """Bits of each weight that say whether it is kept: by counting what the pattern allows, or by entropy.

    Patterns: "" (any weights), "2:4", "block:4x1", "row", "column", "kernel", "strided:2", "pattern:4", and the last
    two followed by "+kernel" where whole kernels are left out too.
    """
    if not 0 < op.density < 1 or not op.weights:
        return 0.0
    shape, word = op.weights[0].shape, op.pattern
    name, _, numbers = word.removesuffix("+kernel").partition(":")
    if name.isdigit() and numbers.isdigit() and 0 < int(name) <= int(numbers):
        return MARGIN * log2(comb(int(numbers), int(name))) / int(numbers)
    if name in ("strided", "pattern"):
        return MARGIN * _in_kernels(op, name, numbers)
    return MARGIN * _entropy(op.density) / _unit(shape, name, numbers)


def _unit(shape: tuple[int, ...], name: str, numbers: str) -> int:
    """The weights that stay or go together."""
    if name == "block":
        height, width = (int(n) for n in numbers.split("x"))
        return min(height, shape[0]) * min(width, prod(shape[1:]))
    return {"row": prod(shape[1:]), "column": shape[0], "kernel": prod(shape[2:])}.get(name, 1)


def _in_kernels(op: Op, name: str, numbers: str) -> float:
    """Which kernels are left out, and which pattern each of the others has."""
    places = prod(op.weights[0].shape[2:])
    choice = PATTERN_BITS if name == "pattern" else 0.0
    if not op.pattern.endswith("+kernel"):
        return choice / places
    within = int(numbers) / places if name == "pattern" else 1 / int(numbers.partition(":")[0]) ** 2
    kernels = min(1.0, op.density / within)
    return (_entropy(kernels) + kernels * choice) / places


def _entropy(share: float) -> float:
    """Bits of a place that is kept with that chance."""
    return -share * log2(share) - (1 - share) * log2(1 - share) if 0 < share < 1 else 0.0

"""Rounding to the numbers of a format: to the nearest, on a tie to the even code; what lies outside gets the end.

`nearest` is the definition, a search over all numbers of the format; `rounded` is its fast twin. The tests hold the
two against each other. "Even" is counted from zero, or from the lowest level where a level set has no zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from methods.numerics.formats import Format, Points

CHUNK = 1 << 22
"""Distances that `nearest` holds at a time."""


def nearest(values: NDArray[Any], to: Format) -> Points:
    """The nearest number of the format to each value, by search over all of them; same shape.

    Raises ValueError where a value is not a number.
    """
    points, flat = to.code_points(), _checked(values, to).reshape(-1)
    odd = (np.arange(len(points)) - _origin(points)) % 2 == 1
    rows = [_search(part, points, odd) for part in np.array_split(flat, max(1, flat.size * len(points) // CHUNK))]
    return np.concatenate(rows).reshape(values.shape)


def rounded(values: NDArray[Any], to: Format) -> Points:
    """The same without the search, for formats of any width."""
    x = _checked(values, to)
    if to.kind == "integer":
        return np.clip(np.rint(x), to.low, to.high) + 0.0
    if to.kind == "float" and to.mantissa:
        return _to_float(x, to)
    return _to_points(x, to.code_points())


def _checked(values: NDArray[Any], to: Format) -> Points:
    x = np.asarray(values, dtype=np.float64)
    if np.isnan(x).any():
        raise ValueError(f"not-a-number can't be rounded to {to.name}")
    return np.clip(x, -np.finfo(np.float64).max, np.finfo(np.float64).max)


def _search(values: Points, points: Points, odd: NDArray[np.bool_]) -> Points:
    """Least distance first, then an even code."""
    inside = np.clip(values, points[0], points[-1])
    distance = np.abs(inside[:, None] - points)
    tied = distance == distance.min(axis=1, keepdims=True)
    found: Points = points[np.argmax(tied * (2 - odd.astype(np.int64)), axis=1)]
    return found


def _to_float(x: Points, to: Format) -> Points:
    """Multiples of the step that floats of this size have; below the smallest normal number it stays the same."""
    inside = np.clip(x, -to.largest if to.signed else 0.0, to.largest)
    _, exponent = np.frexp(inside)
    step = np.ldexp(1.0, np.maximum(exponent - 1, 1 - to.bias) - to.mantissa)
    return np.asarray(np.rint(inside / step) * step + 0.0)


def _to_points(x: Points, points: Points) -> Points:
    """The lower or the upper neighbour in the list."""
    if len(points) == 1:
        return np.full(x.shape, points[0])
    inside = np.clip(x, points[0], points[-1])
    upper = np.clip(np.searchsorted(points, inside), 1, len(points) - 1)
    below, above = inside - points[upper - 1], points[upper] - inside
    even = (upper - _origin(points)) % 2 == 0
    found: Points = points[np.where((above < below) | ((above == below) & even), upper, upper - 1)]
    return found


def _origin(points: Points) -> int:
    """The place of zero, or 0 where there is none."""
    place = int(np.searchsorted(points, 0.0))
    return place if place < len(points) and points[place] == 0.0 else 0

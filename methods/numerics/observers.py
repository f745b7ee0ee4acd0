"""Observers: which range of numbers the codes of a quantiser should cover.

Outliers widen the steps for everybody else, so the best range is often narrower than all that was seen.

Reference: Krishnamoorthi, 2018, arXiv 1806.08342 (min-max, moving averages); Nagel et al., "A white paper on neural
network quantization", 2021, arXiv 2106.08295, section 3.1 (mean squared error); Migacz, "8-bit inference with
TensorRT", GTC 2017 (entropy); Jacob et al., 2018, arXiv 1712.05877 (exponential moving averages of ranges).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from methods.numerics.affine import Floats
from methods.numerics.clipping import least_divergence, least_error
from methods.numerics.formats import Points
from methods.numerics.histogram import Histogram

Bounds = tuple[Points, Points]
"""Least and largest number that the codes should cover, `[rows]` each."""


@dataclass(frozen=True)
class Aim:
    """What a range is sought for: the codes, whether zero has the middle one, and what observers can be told.

    Attributes:
        code_range: lowest and highest code. symmetric: whether the zero point is 0.
        percentile: share of the numbers that the observer `percentile` covers, in per cent; the rest is cut off at
            both ends.
        decay: weight of an older batch against the next one in a moving average.
    """

    code_range: tuple[int, int]
    symmetric: bool = False
    percentile: float = 99.9
    decay: float = 0.9


class Observer(Protocol):
    """Sees a value batch by batch, then names its range."""

    def see(self, batch: Floats) -> None:
        """One batch, of any shape. Raises ValueError where a number is not finite."""

    def bounds(self) -> tuple[float, float]:
        """The range. Raises ValueError where nothing was seen."""


class MinMax:
    """Everything that was seen."""

    def __init__(self, aim: Aim) -> None:
        self.aim = aim
        self.rows: list[tuple[float, float]] = []

    def see(self, batch: Floats) -> None:
        if batch.size:
            least, most = self._range(_finite(batch).reshape(-1))
            self.rows.append((float(least), float(most)))

    def bounds(self) -> tuple[float, float]:
        if not self.rows:
            raise ValueError("no values were seen")
        return self._joined(np.array(self.rows, dtype=np.float64))

    def _range(self, flat: Floats) -> tuple[np.float32, np.float32]:
        return flat.min(), flat.max()

    def _joined(self, rows: Points) -> tuple[float, float]:
        return float(rows[:, 0].min()), float(rows[:, 1].max())


class MovingAverage(MinMax):
    """The ranges of the batches, averaged; the last counts most."""

    def _joined(self, rows: Points) -> tuple[float, float]:
        weights = self.aim.decay ** np.arange(len(rows))[::-1]
        least, most = (rows * weights[:, None]).sum(axis=0) / weights.sum()
        return float(least), float(most)


class Percentile(MinMax):
    """The numbers without the smallest and the largest ones, averaged over the batches."""

    def _range(self, flat: Floats) -> tuple[np.float32, np.float32]:
        least, most = percentiles(flat[None], self.aim.percentile)
        return np.float32(least[0]), np.float32(most[0])

    def _joined(self, rows: Points) -> tuple[float, float]:
        return float(rows[:, 0].mean()), float(rows[:, 1].mean())


class Counting:
    """Observers that look at how often each number occurs."""

    def __init__(self, aim: Aim, search: Callable[[Histogram, Aim], tuple[float, float]]) -> None:
        self.aim, self.search, self.histogram = aim, search, Histogram()

    def see(self, batch: Floats) -> None:
        self.histogram.add(batch)

    def bounds(self) -> tuple[float, float]:
        if not self.histogram.counts.any():
            raise ValueError("no values were seen")
        if self.histogram.least == self.histogram.most:
            return self.histogram.least, self.histogram.most
        return self.search(self.histogram, self.aim)


def percentiles(rows: Floats, percentile: float) -> Bounds:
    """Least and largest number of each row of `[rows, n]` without the outermost (100 - percentile) per cent."""
    out = min(int(rows.shape[1] * (100.0 - percentile) / 100.0), (rows.shape[1] - 1) // 2)
    places = sorted({out, rows.shape[1] - 1 - out})
    ordered = np.partition(rows, places, axis=1)
    return ordered[:, out].astype(np.float64), ordered[:, -1 - out].astype(np.float64)


def bounds_of(rows: Floats, observer: str, aim: Aim) -> Bounds:
    """The range of each row of a weight `[rows, n]`, all of it at hand.

    Raises ValueError where a number is not finite, a row is empty or there is no observer of that name.
    """
    if observer not in OBSERVERS:
        raise ValueError(f"there is no observer {observer!r:.40}; there are {', '.join(OBSERVERS)}")
    if not rows.size:
        raise ValueError("an empty weight has no range")
    values = _finite(rows)
    if observer == "mse":
        return least_error(values, None, aim.code_range, aim.symmetric)
    if observer == "percentile":
        return percentiles(values, aim.percentile)
    if observer == "entropy":
        found = np.array([_entropy_of(row, aim) for row in values])
        return found[:, 0], found[:, 1]
    return values.min(axis=1).astype(np.float64), values.max(axis=1).astype(np.float64)


def _entropy_of(row: Floats, aim: Aim) -> tuple[float, float]:
    observer = observer_of("entropy", aim)
    observer.see(row)
    return observer.bounds()


def _mse(histogram: Histogram, aim: Aim) -> tuple[float, float]:
    used = histogram.counts > 0
    centres = np.clip(histogram.centres[used], histogram.least, histogram.most).astype(np.float32)
    ends = np.array([histogram.least, histogram.most], dtype=np.float32)
    values, counts = np.concatenate([centres, ends]), np.concatenate([histogram.counts[used], [1, 1]])
    least, most = least_error(values[None], counts[None], aim.code_range, aim.symmetric)
    return float(least[0]), float(most[0])


def _entropy(histogram: Histogram, aim: Aim) -> tuple[float, float]:
    """The threshold is one for both signs; each side stays within what was seen."""
    both = histogram.least < 0.0 < histogram.most
    codes = aim.code_range[1] - aim.code_range[0] + 1
    limit = least_divergence(histogram, codes // 2 if both or aim.symmetric else codes)
    return max(histogram.least, -limit), min(histogram.most, limit)


def _finite(values: Floats) -> Floats:
    if not np.isfinite(values).all():
        raise ValueError("a value is not a finite number")
    return values


OBSERVERS: dict[str, Callable[[Aim], Observer]] = {
    "min-max": MinMax,
    "percentile": Percentile,
    "mse": lambda aim: Counting(aim, _mse),
    "entropy": lambda aim: Counting(aim, _entropy),
    "moving-average": MovingAverage,
}
"""Name -> how to make one."""


def observer_of(name: str, aim: Aim) -> Observer:
    """A new observer. Raises ValueError where there is none of that name."""
    if name not in OBSERVERS:
        raise ValueError(f"there is no observer {name!r:.40}; there are {', '.join(OBSERVERS)}")
    return OBSERVERS[name](aim)

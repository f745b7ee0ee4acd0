"""Levels: what a piece of work takes on an undisturbed machine, by where its readings crowd.

An undisturbed processor takes one time for it, which may change in seconds or hours as the clock does: a Xeon of 2023
was at 1.08 times its best for 40 of 100 readings and at its best for one. With a neighbour on the other half of its
core it took 1.3 to 1.8 times as long, seldom twice the same. So readings crowd at the present level, and those at
the level are quiet; faster ones are of a clock that the next minute won't have.

Memory, and a core that the host packs with another, may be disturbed for minutes: there readings are of the level only
where half of a stretch of them crowd, and no crowd far above the lowest one is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

CONFIRMED = 8
"""Readings that must be as low before they count as the best there is: a single one may be luck."""
CLOCKS = 1.25
"""How many times its best an undisturbed processor may take."""
CROWD = 0.02
"""Width (relative) of the range that holds the most readings: the level is in its middle."""
KEPT, EVERY = 1000, 32
"""Readings that the processor's level follows, and after how many it is looked for again."""
STRETCH = 100
"""Readings in a row of which half crowd where no neighbour disturbs."""


class Level(Protocol):
    """What one piece of work takes on an undisturbed machine, by its readings."""

    level_s: float
    """The level; 0 before the first reading."""

    def add(self, now: float) -> None:
        """One more reading."""


@dataclass
class Clocked:
    """The level of one processor: where its recent readings crowd, which follows the clock. `known_s` is what another
    process saw, or 0."""

    known_s: float = 0.0
    level_s: float = 0.0
    _lowest: list[float] = field(default_factory=list)
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    _unseen: int = 0

    def add(self, now: float) -> None:
        """One more reading."""
        self._lowest = sorted([*self._lowest, now])[:CONFIRMED]
        if now <= self._most_s:
            self._recent.append(now)
        self._unseen += 1
        if self._unseen >= EVERY or not self.level_s:
            told = [reading for reading in self._recent if reading <= self._most_s]
            self.level_s, self._unseen = (crowd(told)[0] if told else self.known_s), 0

    @property
    def _most_s(self) -> float:
        """The longest reading that may be of an undisturbed processor."""
        best = [self._lowest[-1], *([self.known_s] if self.known_s else [])]
        return CLOCKS * min(best)


@dataclass
class Shared:
    """The level of what neighbours share, memory or a second core: the latest at which a stretch of readings crowded.

    With neighbours no two readings are alike, and they stay for seconds or minutes; where they are alike, as those of
    two cores that are halves of one, they are more than `most` times the lowest crowd.
    """

    most: float = CLOCKS
    level_s: float = 0.0
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=STRETCH))
    _lowest_s: float = 0.0
    _unseen: int = 0

    def add(self, now: float) -> None:
        """One more reading."""
        self._recent.append(now)
        self._unseen += 1
        if self._unseen < EVERY and self.level_s:
            return
        self._unseen = 0
        middle, count = crowd(self._recent)
        crowded = count >= STRETCH / 2
        if crowded:
            self._lowest_s = min(middle, self._lowest_s or middle)
        now_s = self.level_s if self._lowest_s and not crowded else middle
        least = self._lowest_s or middle
        self.level_s = now_s if now_s <= self.most * least else least


def crowd(readings: Iterable[float]) -> tuple[float, int]:
    """The middle of the range in which the most readings lie, and how many these are."""
    times = np.sort(list(readings))
    ends = np.searchsorted(times, times * (1.0 + CROWD), side="right")
    counts = ends - np.arange(len(times))
    fullest = int(np.argmax(counts))
    return float(np.median(times[fullest : ends[fullest]])), int(counts[fullest])

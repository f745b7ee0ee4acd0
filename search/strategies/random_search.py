"""Random search: uniform over the space, after the seeds; the measure that every other strategy has to beat.

Reference: J. Bergstra, Y. Bengio, "Random search for hyper-parameter optimization", 2012.
"""

from __future__ import annotations

from search.strategies.seeded import Seeded


class RandomSearch(Seeded):
    """Draws every variable's value evenly and independently."""

    name = "random"

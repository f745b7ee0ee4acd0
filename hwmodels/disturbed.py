"""Disturbed: measurements made in noise, kept back until a better moment comes or they had all their turns.

Neighbours of a rented machine come and go by the minute. While they compute, a measurement is up to twice too long, and
says so (its halves disagree); measured again a minute later it is right. What agrees with itself passes at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hwmodels.base import Measurement

NOISY = 0.02
"""Disagreement of a measurement from which on it is worth another one. Of 304 nodes measured three times within minutes
those below were at most 8 % above the best of the three (95 of 100: 4 %), those above up to 97 % (an EPYC of 2021)."""


@dataclass
class Disturbed:
    """What is kept back, by key, with how often it was measured.

    Attributes:
        turns: how often that may be. later: whether whoever fills the table comes back to what is held, in a while;
            otherwise it is measured again at once.
    """

    turns: int = 3
    later: bool = False
    held: dict[str, tuple[Measurement, int]] = field(default_factory=dict)

    def __contains__(self, key: str) -> bool:
        return key in self.held

    def __getitem__(self, key: str) -> Measurement:
        """The best there is yet."""
        return self.held[key][0]

    def settle(self, key: str, found: Measurement) -> Measurement | None:
        """What to keep for good, with earlier turns counted in; None where it had better be measured again."""
        earlier, turns = self.held.pop(key, (found, 0))
        best = united(earlier, found)
        if best.disagreement <= NOISY or turns + 1 >= self.turns:
            return best
        self.held[key] = (best, turns + 1)
        return None


def united(first: Measurement, second: Measurement) -> Measurement:
    """Of two measurements of one thing the faster one: noise only ever adds.

    It disagrees by no more than the other does, with itself and with it.
    """
    fast, slow = sorted((first, second), key=lambda found: found.latency_s)
    apart = slow.latency_s / fast.latency_s - 1.0
    return replace(fast, disagreement=min(fast.disagreement, max(apart, slow.disagreement)))

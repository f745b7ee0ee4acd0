"""Disturbed: measurements made in noise, kept back until a better moment comes or they had all their turns.

Neighbours of a rented machine come and go by the minute. While they compute, a measurement is up to twice too long, and
says so (its halves disagree); measured again a minute later it is right. What agrees with itself passes at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from hwmodels.base import Measurement

NOISY = 0.02
"""Disagreement of a measurement from which on it is worth another one. Of 304 nodes measured three times within minutes
those below were at most 8 % above the best of the three (95 of 100: 4 %), those above up to 97 % (an EPYC of 2021)."""

PAUSE_S, GROWS = 1.0, 3.0
"""The first wait for a better moment, and how many times as long each next one is. A neighbour that has the other half
of a core stays for one to ten seconds (a Xeon of 2017)."""


@dataclass
class Disturbed:
    """What is kept back, by key, with how often it was measured.

    Attributes:
        turns: how often that may be. later: whether whoever fills the table comes back to what is held, in a while;
            otherwise it is measured again after a pause. patience_s: what is left of all pauses together.
    """

    turns: int = 4
    later: bool = False
    patience_s: float = 60.0
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

    def pause(self) -> None:
        """Waits for a better moment, longer after each turn, as long as patience lasts."""
        turn = max((turns for _, turns in self.held.values()), default=1)
        pause_s = min(self.patience_s, PAUSE_S * GROWS ** (turn - 1))
        self.patience_s -= pause_s
        time.sleep(pause_s)


def united(first: Measurement, second: Measurement) -> Measurement:
    """Of two measurements of one thing the faster one: noise only ever adds.

    It disagrees by no more than the other does, with itself and with it.
    """
    fast, slow = sorted((first, second), key=lambda found: found.latency_s)
    apart = slow.latency_s / fast.latency_s - 1.0
    return replace(fast, disagreement=min(fast.disagreement, max(apart, slow.disagreement)))

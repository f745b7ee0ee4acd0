"""Ternary weights: -a, 0 and +a, with one scale, or with two that are trained.

"twn" sets what is larger than 0.7 times the mean magnitude to one scale, the mean of those magnitudes; "ttq" has a
scale for each sign, told apart at a twentieth of the largest magnitude, and trains both: each gets the summed gradient
of its members.

Reference: Li, Zhang and Liu, "Ternary weight networks", 2016, arXiv 1605.04711; Zhu, Han, Mao and Dally, "Trained
ternary quantization", 2017, arXiv 1612.01064.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from methods.base import MethodError, Value
from methods.choices import as_word
from methods.level_method import LevelMethod
from methods.numerics.levels import Levels, best_ternary, ttq, twn
from methods.weight_method import Layer

WORDS = ("fp32", "twn", "ttq")


@dataclass(frozen=True)
class Ternary(LevelMethod):
    """Choices: "twn" (one scale), "ttq" (two trained ones), or "fp32" to leave a layer as it is.

    Attributes:
        threshold: of "twn", relative to the mean magnitude; 0 takes the one with the least squared error.
        share: the threshold of "ttq", relative to the largest magnitude.
        per_channel: whether "twn" has a threshold and a scale for each output channel.
    """

    threshold: float = 0.7
    share: float = 0.05
    per_channel: bool = False
    name: str = "ternary"

    def __post_init__(self) -> None:
        if not (0.0 <= self.threshold < float("inf") and 0.0 < self.share < 1.0):
            raise MethodError(
                f"ternary takes a threshold of 0 or more and a share between 0 and 1, not {self.threshold!r} and "
                f"{self.share!r}"
            )

    def words(self, layer: Layer) -> tuple[Value, ...]:  # noqa: ARG002
        return WORDS

    def checked(self, site: str, value: Value) -> Value | None:
        """The word, None for "fp32". Raises BadChoice."""
        word = as_word(self.name, site, value, WORDS)
        return None if word == WORDS[0] else word

    def levels(self, weight: Tensor, value: Value) -> Levels:
        """Levels -a, 0, a; or -Wn, 0, Wp."""
        if value == "ttq":
            return ttq(weight, self.share)
        if not self.threshold:
            return best_ternary(weight, self.per_channel)
        return twn(weight, self.threshold, self.per_channel)

    def shifts(self, value: Value) -> bool:
        """Whether multiplying by a level is shifting."""
        return value != "ttq"

    def count(self, value: Value) -> int:  # noqa: ARG002
        return 3

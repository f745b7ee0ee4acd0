"""Ranks as a recipe asks for them: a share of the full rank, `rank:12`, or a word that the weight itself answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from methods.base import BadChoice, Value
from methods.weight_method import refuse

ENERGY = "energy"


@dataclass(frozen=True)
class RankChoice:
    """One of four: a share of the full ranks, the ranks, the share of the weight's energy to keep, or another word."""

    share: float = 0.0
    ranks: tuple[int, ...] = ()
    energy: float = 0.0
    word: str = ""


def rank_choice(method: str, site: str, value: Value, count: int, words: Collection[str]) -> RankChoice:
    """What a value means for a method with `count` ranks a layer that knows `words`. Raises BadChoice."""
    if isinstance(value, str):
        kind, _, rest = value.partition(":")
        numbers = _numbers(rest)
        if kind == "rank" and len(numbers) == count and all(n >= 1 and n.is_integer() for n in numbers):
            return RankChoice(ranks=tuple(int(n) for n in numbers))
        if kind == ENERGY and ENERGY in words and len(numbers) == 1 and 0 < numbers[0] <= 1:
            return RankChoice(energy=numbers[0])
        if value in words and value != ENERGY:
            return RankChoice(word=value)
    elif not isinstance(value, bool) and 0 < value <= 1:
        return RankChoice(share=float(value))
    example = "'rank:12'" if count == 1 else "'rank:8,16' (inputs, outputs)"
    more = ["'energy:0.95'" if word == ENERGY else repr(word) for word in words]
    takes = ["a share of the full rank above 0 and up to 1 (1 leaves it as is)", example, *more]
    raise refuse(method, site, value, ", ".join(takes[:-1]) + " or " + takes[-1])


def at_share(full: Sequence[int], share: float) -> tuple[int, ...]:
    """The ranks at a share of the full ones: rounded to the nearest, at least 1."""
    return tuple(max(1, min(rank, round(share * rank))) for rank in full)


def check_ranks(method: str, site: str, ranks: Sequence[int], full: Sequence[int]) -> None:
    """Raises BadChoice for a rank above the full one."""
    if any(rank > most for rank, most in zip(ranks, full, strict=True)):
        asked, most = (",".join(map(str, numbers)) for numbers in (ranks, full))
        raise BadChoice(f"{method} at {site}: rank {asked} is more than the full rank, {most}; ask for at most that")


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        return []

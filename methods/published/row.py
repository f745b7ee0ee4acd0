"""Published systems: what each is made of here, and the paper it comes from. Data, no arithmetic.

A row names its parts on four axes - forms (methods with a value), an importance, a recovery and a schedule, a storage
code - and the id under which surveys list it. A recipe may name a row instead of its parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from methods.base import Value


@dataclass(frozen=True)
class Part:
    """One method of a published system, at every site where it fits.

    Attributes:
        value: what is chosen. linear: what is chosen for linear layers, where that is something else.
        settings: of the method.
    """

    method: str
    value: Value
    linear: Value | None = None
    settings: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Published:
    """One published system.

    Attributes:
        id: as the surveys' list has it; also the name in a recipe. title, paper (authors and year), arxiv.
        family: prune-structured, quantize, low-rank, ... parts: its methods, in the order of a recipe.
        importance, recovery, schedule: names of their catalogues, empty where it is the default or it has none.
        training: settings of schedule and recovery. storage: what its file is made of, in words.
    """

    id: str
    title: str
    family: str
    paper: str
    arxiv: str
    parts: tuple[Part, ...] = ()
    importance: str = ""
    recovery: str = ""
    schedule: str = ""
    training: Mapping[str, Value] = field(default_factory=dict)
    storage: str = ""

    @property
    def axes(self) -> dict[str, list[str]]:
        """What it has on each of the four axes."""
        forms = [part.method for part in self.parts]
        found = {"form": forms, "importance": [self.importance], "recovery": [self.schedule, self.recovery]}
        found["storage"] = [self.storage]
        return {axis: [name for name in names if name] for axis, names in found.items() if any(names)}


def pruned(importance: str, share: float = 0.5) -> tuple[Part, ...]:
    """Channels by one importance."""
    return (Part("channel-pruning", share, settings={"importance": importance}),)


def masked(value: Value, importance: str = "magnitude", ranking: str = "layer") -> tuple[Part, ...]:
    """Weights held at zero."""
    settings = {"importance": importance, "ranking": ranking, "offers": str(value)}
    return (Part("sparsity", value, settings=settings),)


def rounded(word: str, **settings: Value) -> tuple[Part, ...]:
    """Even steps."""
    return (Part("quantization", word, settings=settings),)

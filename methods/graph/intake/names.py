"""Names for inputs and outputs: plain, unique identifiers, whatever a model calls them."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection

from methods.graph.ir import GraphError

MAX_NAME = 60


class CaptureError(GraphError):
    """A model could not be captured."""


class Names:
    """Unique identifiers."""

    def __init__(self) -> None:
        self.used: set[str] = set()

    def unique(self, text: str) -> str:
        base = identifier(text)
        name, count = base, 1
        while name in self.used:
            name, count = f"{base}_{count}", count + 1
        self.used.add(name)
        return name


def identifier(text: str) -> str:
    """The text as a plain Python identifier of at most 60 characters."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")[:MAX_NAME] or "value"
    if name[0].isdigit():
        name = "_" + name
    return name + "_" if keyword.iskeyword(name) else name


def unique_identifiers(texts: Collection[str]) -> list[str]:
    """Each text as an identifier, numbered where two would be equal."""
    names = Names()
    return [names.unique(text) for text in texts]


def output_names(paths: Collection[str]) -> list[str]:
    """Unique identifiers for outputs from the keys and positions that lead to them."""
    words = [path if not path.isdigit() else f"output_{path}".removesuffix("_0") for path in paths]
    return unique_identifiers([word or "output" for word in words])

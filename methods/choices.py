"""Checking a recipe's choices before a graph is touched."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import TypeGuard

from methods.base import BadChoice, Value


def check_sites(method: str, choices: Mapping[str, Value], sites: Collection[str]) -> None:
    """Raises BadChoice, with the nearest sites that there are, for a site where the method can't act."""
    for site in choices:
        if site not in sites:
            near = difflib.get_close_matches(site, sites, 3) or list(sites)[:5]
            there = f"it has {', '.join(near)}" if near else "it has none in this model"
            raise BadChoice(f"{method} can't act at {site!r}; {there}")


def as_share(method: str, site: str, value: Value) -> float:
    """A share in (0, 1]. Raises BadChoice for anything else."""
    if not _is_number(value) or not 0.0 < value <= 1.0:
        raise BadChoice(f"{method} at {site} takes a share above 0 and up to 1 (1 leaves it as is), not {value!r:.40}")
    return float(value)


def as_bits(method: str, site: str, value: Value) -> int:
    """A width of 0 (leave as is) to 8 bits. Raises BadChoice for anything else."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 8:
        raise BadChoice(f"{method} at {site} takes 1 to 8 bits, or 0 to leave it as is, not {value!r:.40}")
    return value


def as_word(method: str, site: str, value: Value, words: Collection[str]) -> str:
    """One of a few words. Raises BadChoice for anything else."""
    if value not in words:
        raise BadChoice(f"{method} at {site} takes one of {', '.join(words)}, not {value!r:.40}")
    return str(value)


def _is_number(value: Value) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)

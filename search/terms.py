"""CostTerms: what recipes cost, as a sum of small tables over the variables; thousands are costed in a millisecond."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from search.problem import BadRecipe, SearchError

Array = NDArray[np.float64]
Reduction = Literal["sum", "max"]

_BLOCK = 4096
"""Points costed at a time, so that the running totals stay in the cache."""


class BadTerms(SearchError):
    """The cost terms contradict each other: shapes, variables or metrics don't fit together."""


@dataclass(frozen=True, eq=False)
class Term:
    """What one operator, or one interaction, adds: a table over the values of a few variables.

    `variables` are indices into `Problem.variables`; `values` is `[len(v0), len(v1), ..., metrics]`.
    """

    variables: tuple[int, ...]
    values: Array

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many values each of the variables has."""
        return self.values.shape[:-1]


@dataclass(frozen=True, eq=False)
class CostTerms:
    """Costs of any recipe: `constant` plus one entry of every term.

    `metrics` name Cost figures (`latency_s`, ...); `constant` is `[metrics]`; `reductions` says per metric how terms
    combine: "sum" (the default) or "max" (`peak_bytes`: the largest operator counts; entries are at least zero there).
    Terms over the same variables are merged, terms over none go into the constant. Raises BadTerms.
    """

    metrics: tuple[str, ...]
    constant: Array
    terms: tuple[Term, ...]
    reductions: tuple[Reduction, ...] = ()

    def __post_init__(self) -> None:
        reductions = self.reductions or tuple[Reduction, ...](["sum"] * len(self.metrics))
        if not len(reductions) == len(self.metrics) == np.size(self.constant):
            raise BadTerms(f"{len(self.metrics)} metrics need as many constants and reductions")
        object.__setattr__(self, "reductions", reductions)
        merged = _merge([Term((), _float(self.constant)), *map(_canonical, self.terms)], self._largest)
        object.__setattr__(self, "constant", merged.pop(()).values)
        object.__setattr__(self, "terms", tuple(merged.values()))
        _check_sizes(self.terms)

    @cached_property
    def _largest(self) -> NDArray[np.bool_]:
        return np.array([r == "max" for r in self.reductions], dtype=bool)

    @cached_property
    def sizes(self) -> dict[int, int]:
        """How many values each variable has, of those that any term asks about."""
        return {v: size for term in self.terms for v, size in zip(term.variables, term.sizes, strict=True)}

    def column(self, metric: str) -> int:
        """Where a metric stands in `costs`. Raises BadTerms for one that the terms don't know."""
        if metric not in self.metrics:
            raise BadTerms(f"nothing is known about {metric}; the terms know {', '.join(self.metrics)}")
        return self.metrics.index(metric)

    def costs(self, points: ArrayLike) -> Array:
        """Costs `[n, metrics]` of `points` `[n, variables]` (value indices). Raises BadRecipe outside the tables."""
        columns = np.ascontiguousarray(np.asarray(points, dtype=np.intp).T)
        self._check_points(columns)
        out = np.empty((columns.shape[1], len(self.metrics)))
        for start in range(0, len(out), _BLOCK):
            self._cost_block(columns[:, start : start + _BLOCK], out[start : start + _BLOCK])
        return out

    def costs_of(self, point: Sequence[int]) -> dict[str, float]:
        """Costs of one point, by metric."""
        return dict(zip(self.metrics, self.costs([tuple(point)])[0].tolist(), strict=True))

    def scaled(self, factors: Mapping[str, float]) -> CostTerms:
        """The same terms with every cost of the metrics named in `factors` that many times as high."""
        row = np.array([factors.get(metric, 1.0) for metric in self.metrics])
        terms = tuple(Term(term.variables, term.values * row) for term in self.terms)
        return CostTerms(self.metrics, self.constant * row, terms, self.reductions)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; tables as base64 of little-endian float64, so that they come back bit by bit, each once."""
        tables: dict[str, int] = {}
        terms = []
        for term in self.terms:
            table = tables.setdefault(_pack(term.values), len(tables))
            terms.append({"variables": term.variables, "sizes": term.sizes, "table": table})
        document = {"metrics": self.metrics, "reductions": self.reductions, "constant": _pack(self.constant)}
        return document | {"terms": terms, "tables": list(tables)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CostTerms:
        metrics = tuple(data["metrics"])
        tables = [_unpack(text, -1, len(metrics)) for text in data["tables"]]
        terms = (Term(tuple(t["variables"]), tables[t["table"]].reshape(*t["sizes"], -1)) for t in data["terms"])
        return cls(metrics, _unpack(data["constant"], len(metrics)), tuple(terms), tuple(data["reductions"]))

    @cached_property
    def _tables(self) -> list[tuple[list[tuple[int, int]], Array, Array]]:
        """Per term: (variable, stride) pairs, and the flattened table of the sums and of the maxima; the layers of a
        transformer share theirs."""
        tables, flat = [], dict[Any, tuple[Array, Array]]()
        for term in self.terms:
            strides = np.cumprod((1, *term.sizes[:0:-1]))[::-1].tolist()
            place = term.values.ctypes.data, term.values.shape, term.values.strides
            if place not in flat:
                rows = term.values.reshape(-1, len(self.metrics))
                flat[place] = rows[:, ~self._largest].copy(), rows[:, self._largest].copy()
            tables.append((list(zip(term.variables, strides, strict=True)), *flat[place]))
        return tables

    def _cost_block(self, columns: NDArray[np.intp], out: Array) -> None:
        total = np.tile(self.constant[~self._largest], (len(out), 1))
        highest = np.tile(self.constant[self._largest], (len(out), 1))
        taken, taken_high = np.empty_like(total), np.empty_like(highest)
        for pairs, sums, maxima in self._tables:
            at = _flat_index(columns, pairs)
            total += np.take(sums, at, axis=0, out=taken, mode="clip")
            if maxima.size:
                np.maximum(highest, np.take(maxima, at, axis=0, out=taken_high, mode="clip"), out=highest)
        out[:, ~self._largest], out[:, self._largest] = total, highest

    def _check_points(self, columns: NDArray[np.intp]) -> None:
        if columns.ndim != 2:
            raise BadRecipe(f"points must be [n, variables], not of shape {columns.shape[::-1]}")
        for variable, size in self.sizes.items():
            if variable >= len(columns):
                raise BadRecipe(f"points of {len(columns)} variables don't reach variable {variable} of the terms")
            column = columns[variable]
            if column.size and (column.min() < 0 or column.max() >= size):
                raise BadRecipe(f"variable {variable} takes 0 to {size - 1}, not {column.min()} to {column.max()}")


def _flat_index(columns: NDArray[np.intp], pairs: list[tuple[int, int]]) -> NDArray[np.intp]:
    at = np.zeros(columns.shape[1], dtype=np.intp)
    for variable, stride in pairs:
        at += columns[variable] if stride == 1 else columns[variable] * stride
    return at


def _canonical(term: Term) -> Term:
    """The term with its variables in rising order."""
    values = _float(term.values)
    if values.ndim != len(term.variables) + 1 or len(set(term.variables)) < len(term.variables):
        raise BadTerms(f"a term over variables {term.variables} can't have a table of shape {values.shape}")
    order = sorted(range(len(term.variables)), key=term.variables.__getitem__)
    return Term(tuple(term.variables[i] for i in order), values.transpose(*order, values.ndim - 1))


def _merge(terms: Sequence[Term], largest: NDArray[np.bool_]) -> dict[tuple[int, ...], Term]:
    merged: dict[tuple[int, ...], Term] = {}
    for term in terms:
        if term.values.shape[-1] != len(largest):
            raise BadTerms(f"the term over variables {term.variables} has {term.values.shape[-1]} metrics")
        other = merged.get(term.variables)
        if other is not None and other.sizes != term.sizes:
            raise BadTerms(f"two terms over variables {term.variables} differ in shape: {other.sizes}, {term.sizes}")
        merged[term.variables] = term if other is None else Term(term.variables, combine(other, term, largest))
    return merged


def combine(one: Term, other: Term, largest: NDArray[np.bool_]) -> Array:
    """The tables of two terms over the same variables as one: added, or the larger where `largest` is set."""
    return np.where(largest, np.maximum(one.values, other.values), one.values + other.values)


def _check_sizes(terms: Sequence[Term]) -> None:
    sizes: dict[int, int] = {}
    for term in terms:
        for variable, size in zip(term.variables, term.sizes, strict=True):
            if sizes.setdefault(variable, size) != size:
                raise BadTerms(f"variable {variable} has {sizes[variable]} values in one term and {size} in another")


def _float(values: ArrayLike) -> Array:
    array = np.asarray(values, dtype=np.float64, order="C")
    if not np.isfinite(array).all():
        raise BadTerms("a cost term holds a number that is not finite")
    return array


def _pack(values: Array) -> str:
    return base64.b64encode(values.astype("<f8").tobytes()).decode()


def _unpack(text: str, *shape: int) -> Array:
    return np.frombuffer(base64.b64decode(text), dtype="<f8").reshape(shape).astype(np.float64)

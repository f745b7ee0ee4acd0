"""The integer program of a plan: its columns and rows, and how it is solved to a proven gap (HiGHS through scipy)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from search.columns import Block
from search.highs import integer_program, linear_program
from search.problem import SearchError
from search.terms import Array

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Index = NDArray[np.intp]

_SLACK = (0.01, 0.1)
"""How far above the relaxation, relative to it, the integer program looks at first; then everywhere."""
_NODES = 2_000
"""Branching stops here: unlike a time limit, at the same place on every machine."""
_PRESOLVE = False
"""HiGHS 1.12 can loop for ever in the presolve of tiny programs, past any time limit; without it we are as fast."""


class PlanTimeout(SearchError):
    """The integer program found no recipe within its limits on time and nodes, nor a proof that there is none."""


@dataclass(frozen=True)
class Solution:
    """A value index per variable, and a proven lower bound on the objective over all points that keep the limits."""

    choice: Mapping[int, int]
    bound: float


class Rows:
    """Rows of a sparse matrix and their right-hand sides, gathered block by block."""

    def __init__(self) -> None:
        self._entries: list[tuple[Index, Index, Array]] = []
        self._rhs: list[float] = []

    def open(self, count: int, rhs: float) -> int:
        """Makes room for `count` rows; returns the number of the first."""
        self._rhs += [rhs] * count
        return len(self._rhs) - count

    def put(self, rows: Index | int, columns: Index, values: Array | float) -> None:
        shape = columns.shape
        self._entries.append((np.broadcast_to(rows, shape), columns, np.broadcast_to(values, shape)))

    def matrix(self, columns: int) -> tuple[csr_array, Array]:
        from scipy.sparse import csr_array  # with the solver, when it is needed

        if not self._entries:
            return csr_array((len(self._rhs), columns)), np.array(self._rhs)
        row, column, value = (np.concatenate(parts) for parts in zip(*self._entries, strict=True))
        return csr_array((value, (row, column)), shape=(len(self._rhs), columns)), np.array(self._rhs)


class Program:
    """Chooses one column of every block; blocks that share a variable agree on its value.

    For a variable that several blocks share there is a 0/1 column per value, and in every such block the columns with
    that value sum to it (marginal consistency). Products of variables thus need no whole-number columns of their own:
    once the shared values are whole, so are the products. Where the blocks form a tree, as in a plain chain of
    layers, the relaxation is tight but for the limit rows; branching is then hardly ever needed.
    """

    def __init__(
        self, blocks: Sequence[Block], shared: Mapping[int, Array], limits: Array, floor: float | None = None
    ) -> None:
        """`shared`: objective per value of each shared variable; `limits` `[rows]` are for the blocks' `costs`.

        With `floor` the objective is the largest `peak` of any chosen column, but at least `floor`.
        """
        self._blocks, self._floor = blocks, floor
        starts = np.cumsum([0, *(len(s) for s in shared.values()), *(len(b.choices) for b in blocks)]).tolist()
        self._x, self._y = dict(zip(shared, starts)), starts[len(shared) : -1]
        self._columns = starts[-1] + (floor is not None)
        self._price([*shared.values(), *(b.objective for b in blocks)])
        self._equal, self._equal_rhs = self._agreement({v: len(s) for v, s in shared.items()})
        self._most, self._most_rhs = self._limits(limits)
        self._whole = self._whole_numbers(starts[len(shared)])

    def solve(self, gap: float, time_limit_s: float) -> Solution | None:
        """The best choice up to a relative `gap`, or None where there is none. Raises PlanTimeout.

        The relaxation prices every column: whoever uses one of reduced cost r ends at least r above it. So only the
        columns of small reduced cost go into the integer program, and its answer is still proven against all.
        """
        relaxed = self._relaxation(time_limit_s)
        if relaxed is None:
            return None
        least, reduced = relaxed
        steps = [*(s * max(abs(least), 1e-3) for s in _SLACK), np.inf]
        while steps:
            slack = steps.pop(0)
            found = self._integer(np.flatnonzero(reduced <= slack), gap, time_limit_s)
            if found is None:
                continue
            value, bound, choice = found
            if value <= least + slack or value - least <= gap * abs(value):
                return Solution(choice, self._unit * max(least, min(bound, least + slack)))
            steps = [(value - least) * (1 + 1e-9)]
        return None

    def _price(self, parts: Sequence[Array]) -> None:
        """The objective `[columns]` in units that make it at most a thousand: HiGHS has absolute tolerances."""
        cost = np.concatenate(parts) if parts else np.empty(0)
        largest = (
            np.abs(cost) if self._floor is None else np.array([self._floor, *(b.peak.max() for b in self._blocks)])
        )
        self._unit = (float(largest.max(initial=0.0)) or 1.0) / 1e3
        self._cost = cost / self._unit if self._floor is None else np.append(cost * 0.0, 1.0)
        self._least, self._largest = np.zeros(self._columns), np.ones(self._columns)
        if self._floor is not None:
            self._least[-1], self._largest[-1] = self._floor / self._unit, np.inf

    def _agreement(self, sizes: Mapping[int, int]) -> tuple[csr_array, Array]:
        """One value for each shared variable; each block's columns sum to it, or to one where it shares none."""
        rows = Rows()
        for variable, size in sizes.items():
            rows.put(rows.open(1, 1.0), self._x[variable] + np.arange(size), 1.0)
        for start, block in zip(self._y, self._blocks, strict=True):
            columns = start + np.arange(len(block.choices))
            for position in block.shared:
                variable = block.variables[position]
                first = rows.open(sizes[variable], 0.0)
                rows.put(first + block.choices[:, position], columns, 1.0)
                values = np.arange(sizes[variable])
                rows.put(first + values, self._x[variable] + values, -1.0)
            if not block.shared:
                rows.put(rows.open(1, 1.0), columns, 1.0)
        return rows.matrix(self._columns)

    def _limits(self, limits: Array) -> tuple[csr_array, Array]:
        """A row per limit, relative to it; with a floor also one per block: its peak is at most the last column."""
        rows, scale = Rows(), np.where(limits == 0, 1.0, np.abs(limits))
        for limit in limits / scale:
            rows.open(1, float(limit))
        for start, block in zip(self._y, self._blocks, strict=True):
            columns = start + np.arange(len(block.choices))
            for row in range(len(limits)):
                rows.put(row, columns, block.costs[:, row] / scale[row])
            if self._floor is not None:
                row = rows.open(1, 0.0)
                rows.put(row, columns, block.peak / self._unit)
                rows.put(row, np.array([self._columns - 1]), -1.0)
        return rows.matrix(self._columns)

    def _whole_numbers(self, first_block: int) -> NDArray[np.bool_]:
        whole = np.zeros(self._columns, dtype=bool)
        whole[:first_block] = True
        for start, block in zip(self._y, self._blocks, strict=True):
            whole[start : start + len(block.choices)] = block.open
        return whole

    def _relaxation(self, time_limit_s: float) -> tuple[float, Array] | None:
        """Least objective without whole numbers, and the reduced cost of every column; None: infeasible."""
        bounds = np.column_stack([self._least, np.full(self._columns, np.inf)])
        rows = (self._most, self._most_rhs, self._equal, self._equal_rhs)
        options = {"presolve": _PRESOLVE, "time_limit": time_limit_s}
        result = linear_program(self._cost, *rows, bounds, options=options)
        if result.status == 2:
            return None
        if result.status != 0:
            raise PlanTimeout(f"the relaxation of the plan was not solved: {result.message}")
        return float(result.fun), np.asarray(result.lower.marginals, dtype=np.float64)

    def _integer(self, keep: Index, gap: float, time_limit_s: float) -> tuple[float, float, dict[int, int]] | None:
        """Objective, its bound, and the choice, over the columns `keep` alone; None: there is none."""
        equal, most = self._equal[:, keep], self._most[:, keep]
        options = {"mip_rel_gap": gap, "time_limit": time_limit_s, "node_limit": _NODES, "presolve": _PRESOLVE}
        result = integer_program(
            self._cost[keep],
            (equal, self._equal_rhs),
            (most, self._most_rhs),
            (self._least[keep], self._largest[keep]),
            integrality=self._whole[keep],
            options=options,
        )
        if result.status == 2:
            return None
        if result.x is None:
            raise PlanTimeout(f"no plan was found within {time_limit_s:g} s and {_NODES} nodes: {result.message}")
        chosen = np.zeros(self._columns)
        chosen[keep] = result.x
        bound = result.fun if result.mip_dual_bound is None else result.mip_dual_bound
        return float(result.fun), float(bound), self._choice(chosen)

    def _choice(self, chosen: Array) -> dict[int, int]:
        choice: dict[int, int] = {}
        for start, block in zip(self._y, self._blocks, strict=True):
            column = int(np.argmax(chosen[start : start + len(block.choices)]))
            choice |= dict(zip(block.variables, block.choices[column].tolist(), strict=True))
        return choice

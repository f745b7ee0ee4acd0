"""Builds what plans go by: cost terms over the search's variables, and the loss of every choice.

The Workload of the untouched graph is rewritten op by op, without touching a network: each method says what its choices
make of an operator, and the device's cost model says what that costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np

from hwmodels.memory import peak_activation_bytes, weight_bytes
from hwmodels.workload import Op, Workload
from methods.graph.file import packed_bytes
from methods.graph.lower import lower
from search.candidates import SHAPES
from search.context import Context
from search.plan import Guide
from search.planning import planning_costs
from search.problem import Value, Variable
from search.terms import Array, CostTerms, Term

BYTES_FIGURES = ("file_bytes", "peak_bytes")
Tables = tuple[list[int], Array]
"""Variables, and a table with one axis for each and a last one for what was asked."""


def build_guide(
    context: Context, variables: Sequence[Variable], losses: Mapping[str, float], figures: Sequence[str]
) -> Guide:
    """Cost terms for the figures that are limited, and losses interpolated between the measured choices."""
    return Guide(build_terms(context, variables, figures), [_losses(v, losses) for v in variables])


def build_terms(context: Context, variables: Sequence[Variable], figures: Sequence[str]) -> CostTerms:
    """For every operator a term of what it takes to run it, and one of its bytes, over the variables it depends on."""
    workload = lower(context.graph, context.device.batch, dims=True)
    timed = [f for f in figures if f not in BYTES_FIGURES]
    costs = planning_costs(context, timed) if timed else None
    terms = []
    for op in workload.ops:
        tables = _Tables(context, variables, op)
        if costs is not None:
            terms.append(_term(figures, timed, tables.over(_runs, lambda ops: costs(ops, timed), timed)))
        stored = [f for f in figures if f in BYTES_FIGURES] if op.weights else []
        if stored:
            terms.append(_term(figures, stored, tables.bytes(stored)))
    return CostTerms(tuple(figures), _constant(context, workload, figures), tuple(terms))


def _runs(variable: Variable) -> bool:
    """Whether a variable changes how an operator runs; shared weights are only stored otherwise."""
    return variable.method != "weight-sharing"


def _term(figures: Sequence[str], names: Sequence[str], found: Tables) -> Term:
    """A table of some of the figures as a term of all of them, zero in the others."""
    variables, table = found
    columns = [table[..., names.index(f)] if f in names else np.zeros(table.shape[:-1]) for f in figures]
    return Term(tuple(variables), np.stack(columns, axis=-1))


def _constant(context: Context, workload: Workload, figures: Sequence[str]) -> Array:
    """What no choice changes: the file's own bytes, and activations as large as before (an upper bound)."""
    fixed = {
        "file_bytes": float(packed_bytes(context.graph) - sum(w.weight_bytes for w in workload.ops)),
        "peak_bytes": float(peak_activation_bytes(workload, context.device)),
    }
    return np.array([max(0.0, fixed.get(f, 0.0)) for f in figures])


class _Tables:
    """What one operator costs over every combination of the choices that touch it."""

    def __init__(self, context: Context, variables: Sequence[Variable], op: Op) -> None:
        self.context, self.variables, self.op = context, variables, op
        sites = {op.site, *(d.site for d in op.dims)}
        self.touching = [i for i, v in enumerate(variables) if v.site in sites]

    def over(
        self,
        which: Callable[[Variable], bool],
        ask: Callable[[Sequence[Op]], Mapping[str, float]],
        names: Sequence[str],
    ) -> Tables:
        """Asks about the operators that each combination of the chosen variables makes of this one."""
        touching = [i for i in self.touching if which(self.variables[i])]
        table = np.zeros([*(len(self.variables[i].values) for i in touching), len(names)])
        for combination in product(*(range(n) for n in table.shape[:-1])):
            values = ask(self._made(touching, combination))
            table[combination] = [values[name] for name in names]
        return touching, table

    def _made(self, touching: Sequence[int], combination: Sequence[int]) -> tuple[Op, ...]:
        ops: tuple[Op, ...] = (self.op,)
        for name, method in self.context.methods.items():
            choices: dict[str, Value] = {}
            for i, k in zip(touching, combination, strict=True):
                if k and self.variables[i].method == name:
                    choices[self.variables[i].site] = self.variables[i].values[k]
            if choices:
                ops = tuple(made for o in ops for made in method.rewrite(o, choices))
        return ops

    def bytes(self, names: Sequence[str]) -> Tables:
        """Bytes of the weights: elements by shape, times bits by form, so that the two needn't be gone through
        together."""
        shapes, elements = self.over(lambda v: v.method in SHAPES, _elements, ("weights", "layers", "rest"))
        forms, widths = self.over(lambda v: v.method not in SHAPES, self._widths, ("stored", "centres", "held"))
        weights, layers, rest = (elements[..., i].reshape(*elements.shape[:-1], *[1] * len(forms)) for i in range(3))
        stored, centres, held = (widths[..., i] for i in range(3))
        tables = {
            "file_bytes": weights * stored / 8 + layers * centres * 4 + rest,
            "peak_bytes": weights * held / 8 + rest,
        }
        return [*shapes, *forms], np.stack([tables[name] for name in names], axis=-1)

    def _widths(self, ops: Sequence[Op]) -> Mapping[str, float]:
        """Bits per weight on disk and in memory, and entries of its codebook."""
        op, shared = ops[0], ops[0].stored_bits
        held = 8 * weight_bytes(op, self.context.device) / max(1, sum(w.elements for w in op.weights))
        return {"stored": shared or op.weights[0].bits, "centres": 2**shared if shared else 0.0, "held": held}


def _elements(ops: Sequence[Op]) -> Mapping[str, float]:
    """Weights of the layers, how many layers, and the bytes of what stays as it is (biases)."""
    return {
        "weights": sum(op.weights[0].elements for op in ops),
        "layers": len(ops),
        "rest": sum(w.bytes for op in ops for w in op.weights[1:]),
    }


def stored_bytes(op: Op) -> float:
    """Bytes of an operator's weights in the packed file."""
    if not op.stored_bits or not op.weights:
        return float(op.weight_bytes)
    first, rest = op.weights[0], op.weights[1:]
    return first.elements * op.stored_bits / 8 + 4 * 2**op.stored_bits + sum(w.bytes for w in rest)


def _losses(variable: Variable, losses: Mapping[str, float]) -> Array:
    """The loss of each value: measured, 0 for the first, and interpolated in between."""
    keys = [f"{variable.method}|{variable.site}|{value}" for value in variable.values]
    known = [0] + [i for i, key in enumerate(keys) if i and key in losses]
    values = [0.0] + [losses[keys[i]] for i in known[1:]]
    return np.interp(np.arange(len(keys)), known, values)

"""Builds what plans go by: cost terms over the search's variables, and the loss of every choice.

The Workload of the untouched graph is rewritten op by op, without touching a network: each method says what its choices
make of an operator, and the device's cost model says what that costs.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hwmodels.arithmetic import stages_seen
from hwmodels.device import Device
from hwmodels.memory import peak_activation_bytes, weight_bytes
from hwmodels.stored import stored_bits_per_weight
from hwmodels.workload import Op, Workload
from methods.base import RESHAPES, Method
from methods.graph.file import packed_bytes
from methods.graph.lower import lower
from search.context import Context
from search.plan import Guide
from search.planning import OpCosts, planning_costs
from search.problem import Variable
from search.tables import STORED, OpTables, Piece
from search.terms import Array, CostTerms, Term

BYTES_FIGURES = ("file_bytes", "peak_bytes")


def build_guide(
    context: Context, variables: Sequence[Variable], losses: Mapping[str, float], costs: Mapping[str, float]
) -> Guide:
    """Cost terms for the figures that are limited, and losses interpolated between the measured choices.

    `costs` are those figures of the untouched model as candidates are judged, at the upper end of their error bar:
    what runs is scaled to them, so that the first plans are already held against the limits that trials are.
    """
    terms = build_terms(context, variables, tuple(costs))
    forecast = terms.costs_of((0,) * len(variables))
    timed = [figure for figure in costs if figure not in BYTES_FIGURES and forecast[figure] > 0 and costs[figure] > 0]
    scaled = terms.scaled({figure: costs[figure] / forecast[figure] for figure in timed})
    return Guide(scaled, [_losses(v, losses) for v in variables])


def build_terms(context: Context, variables: Sequence[Variable], figures: Sequence[str]) -> CostTerms:
    """For every operator what it takes to run it, and its bytes, over the variables that it depends on."""
    workload = lower(context.graph, context.device.batch, dims=True)
    timed = [f for f in figures if f not in BYTES_FIGURES]
    costs = planning_costs(context, timed) if timed else None
    asked = Asked(context.methods, context.device, tuple(figures), costs)
    return CostTerms(tuple(figures), _constant(context, workload, figures), terms_of(workload.ops, variables, asked))


@dataclass(frozen=True)
class Asked:
    """What is asked about operators: methods by name in the order in which they are applied, and cost figures;
    `costs` knows those that aren't bytes."""

    methods: Mapping[str, Method]
    device: Device
    figures: tuple[str, ...]
    costs: OpCosts | None


def terms_of(ops: Sequence[Op], variables: Sequence[Variable], asked: Asked) -> tuple[Term, ...]:
    """The terms of all operators; those that are alike but for their names are gone through once."""
    known: dict[Hashable, tuple[Piece, ...]] = {}
    places: dict[str, list[int]] = {}
    for i, variable in enumerate(variables):
        places.setdefault(variable.site, []).append(i)
    terms = []
    for op in ops:
        touching = sorted(i for site in _sites(op) for i in places.get(site, ()))
        mine = [variables[i] for i in touching]
        key = _likeness(op, mine)
        if key not in known:
            known[key] = tuple(_pieces(OpTables(asked.methods, mine, op), asked))
        terms += [Term(tuple(touching[i] for i in positions), table) for positions, table in known[key]]
    return tuple(terms)


def _sites(op: Op) -> list[str]:
    """Everything that an operator's cost follows."""
    return list(dict.fromkeys((op.site, *op.sites, *op.blocks)))


def _likeness(op: Op, variables: Sequence[Variable]) -> Hashable:
    """The same for operators that cost the same whatever is chosen: names are gone, sites are numbered."""
    number = {site: str(i) for i, site in enumerate(_sites(op))}
    dims = tuple(replace(d, site=number[d.site], also=tuple((number[s], n) for s, n in d.also)) for d in op.dims)
    plain = replace(op, name="", reads=(), writes=(), aliases=(), site=number[op.site] if op.site else "", dims=dims)
    plain = replace(plain, blocks=tuple(number[b] for b in op.blocks))
    return plain, tuple((v.method, number[v.site], v.values) for v in variables)


def _pieces(tables: OpTables, asked: Asked) -> Iterator[Piece]:
    """Tables of an operator over all figures, zero in those that they say nothing about."""
    figures, costs = asked.figures, asked.costs
    timed = [f for f in figures if f not in BYTES_FIGURES]
    if costs is not None:
        for positions, table in tables.over(
            lambda v: runs(asked.methods[v.method], asked.device), lambda ops: costs(ops, timed), timed
        ):
            yield positions, _columns(figures, dict(zip(timed, np.moveaxis(table, -1, 0), strict=True)))
    if tables.op.weights and len(timed) < len(figures):
        for positions, found in _bytes(tables, asked):
            yield positions, _columns(figures, found)


def runs(method: Method, device: Device) -> bool:
    """Whether a method changes what operators cost on a device, beyond their bytes."""
    return method.runs or method.stage in stages_seen(device)


def _columns(figures: Sequence[str], known: Mapping[str, Array]) -> Array:
    zeros = np.zeros_like(next(iter(known.values())))
    return np.stack([known.get(f, zeros) for f in figures], axis=-1)


def _constant(context: Context, workload: Workload, figures: Sequence[str]) -> Array:
    """What no choice changes: the file's own bytes, and activations as large as before (an upper bound)."""
    fixed = {
        "file_bytes": float(packed_bytes(context.graph) - sum(w.weight_bytes for w in workload.ops)),
        "peak_bytes": float(peak_activation_bytes(workload, context.device)),
    }
    return np.array([max(0.0, fixed.get(f, 0.0)) for f in figures])


def _bytes(tables: OpTables, asked: Asked) -> Iterator[tuple[tuple[int, ...], dict[str, Array]]]:
    """Bytes of the weights: elements by shape, times bits by form, so that the two needn't be gone through together."""

    def shapes(variable: Variable) -> bool:
        return asked.methods[variable.method].stage in RESHAPES

    forms = [i for i, v in enumerate(tables.variables) if not shapes(v)]
    ((_, widths),) = tables.over(
        lambda v: not shapes(v), lambda ops: _widths(ops, asked.device), ("stored", "centres", "held")
    )
    stored, centres, held = np.moveaxis(widths, -1, 0)
    most = STORED // stored.size
    for positions, elements in tables.over(shapes, _elements, ("weights", "layers", "rest"), most):
        weights, layers, rest = np.moveaxis(elements.reshape(*elements.shape[:-1], *[1] * len(forms), -1), -1, 0)
        found = {
            "file_bytes": weights * stored / 8 + layers * centres * 4 + rest,
            "peak_bytes": weights * held / 8 + rest,
        }
        yield (*positions, *forms), found


def _widths(ops: Sequence[Op], device: Device) -> Mapping[str, float]:
    """Bits per weight on disk and in memory, and entries of its codebook."""
    op = ops[0]
    held = 8 * weight_bytes(op, device) / max(1, sum(w.elements for w in op.weights))
    return {"stored": stored_bits_per_weight(op), "centres": _centres(op), "held": held}


def _centres(op: Op) -> float:
    """Entries of the codebook, if it has one: what is looked up by more bits is looked up by a rule."""
    return 2**op.stored_bits if 0 < op.stored_bits <= 8 else 0.0


def _elements(ops: Sequence[Op]) -> Mapping[str, float]:
    """Weights of the layers, how many layers, and the bytes of what stays as it is (biases)."""
    return {
        "weights": sum(op.weights[0].elements for op in ops),
        "layers": len(ops),
        "rest": sum(w.bytes for op in ops for w in op.weights[1:]),
    }


def stored_bytes(op: Op) -> float:
    """Bytes of an operator's weights in the packed file."""
    if not op.weights:
        return 0.0
    first, rest = op.weights[0], op.weights[1:]
    return first.elements * stored_bits_per_weight(op) / 8 + 4 * _centres(op) + sum(w.bytes for w in rest)


def _losses(variable: Variable, losses: Mapping[str, float]) -> Array:
    """The loss of each value: measured, 0 for the first, and interpolated in between."""
    keys = [f"{variable.method}|{variable.site}|{value}" for value in variable.values]
    known = [0] + [i for i, key in enumerate(keys) if i and key in losses]
    values = [0.0] + [losses[keys[i]] for i in known[1:]]
    return np.interp(np.arange(len(keys)), known, values)

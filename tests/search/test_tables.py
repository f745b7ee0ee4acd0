"""Tables of operators that many variables touch, against rewriting every operator."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hwmodels.workload import Op
from search.guide import terms_of
from search.problem import Point, Variable
from search.tables import OpTables, concatenated
from search.terms import Array, CostTerms
from tests.search.operators import FIGURES, METHODS, asked, dense, encoder, forms, linear, true_costs, widths


def terms(ops: list[Op], variables: tuple[Variable, ...]) -> CostTerms:
    return CostTerms(FIGURES, np.zeros(len(FIGURES)), terms_of(ops, variables, asked()))


def errors(ops: list[Op], variables: tuple[Variable, ...], points: list[Point]) -> Array:
    """Relative errors `[points, figures]` of the tables."""
    found = terms(ops, variables).costs(points)
    real = np.array([true_costs(ops, variables, point) for point in points])
    return np.abs(found - real) / real


def drawn(variables: tuple[Variable, ...], count: int) -> list[Point]:
    rng = np.random.default_rng(0)
    return [tuple(int(rng.integers(len(v.values))) for v in variables) for _ in range(count)]


def test_an_encoder_is_costed_exactly() -> None:
    """Hidden width, heads, channels a head, blocks and forms together, as if every operator were rewritten."""
    ops, variables = encoder(2)
    assert errors(ops, variables, [(0,) * len(variables), *drawn(variables, 10)]).max() < 1e-12


def test_a_block_that_is_gone_costs_nothing() -> None:
    """Whatever else is chosen for what was in it."""
    ops, variables = encoder(1)
    gone = tuple(v.values.index("gone") if v.method == "block-removal" else 1 for v in variables)
    assert terms(ops, variables).costs_of(gone) == dict.fromkeys(FIGURES, 0.0)


def test_concatenated_widths_are_added_up_exactly() -> None:
    """Of 24 of them no joint table could be made: 8 to the power of 24 entries."""
    ops, variables = dense(24)
    assert concatenated(ops[0]) == {f"channels:a{i}" for i in range(24)}
    assert errors(ops, variables, [(0,) * len(variables), *drawn(variables, 20)]).max() < 1e-12


def test_a_rank_beside_concatenated_widths_is_off_by_little() -> None:
    """The rank follows the narrower side, all inputs together: not a sum, so the tables come near only."""
    ops, variables = dense(12, (1.0, 0.5, 0.25))
    assert errors(ops, variables, drawn(variables, 40)).max() < 0.1


def multiplied(count: int) -> tuple[Op, tuple[Variable, ...]]:
    """A layer whose outputs are a product of sites of sixteen units each."""
    names = [f"channels:{i}" for i in range(count)]
    op = linear("p", [("channels:in", 16, ())], [(names[0], 16, tuple((n, 16) for n in names[1:]))])
    return op, tuple(widths(name, 16) for name in ("channels:in", *names))


def test_many_widths_that_multiply_are_filled_in_between() -> None:
    """Of five sites with eight values, four of each are asked about; the rest is off by next to nothing."""
    op, variables = multiplied(4)
    points = drawn(variables, 50)
    assert errors([op], variables, [(0,) * 5, (7,) * 5]).max() < 1e-12
    assert errors([op], variables, points)[:, [1, 2]].max() < 1e-12
    assert errors([op], variables, points)[:, 0].max() < 0.01


def test_with_too_many_factors_pairs_are_exact() -> None:
    """Wherever two of eight sites move away from their middle, the tables have the true cost."""
    op, variables = multiplied(7)
    middle = [len(v.values) // 2 for v in variables]
    points = [tuple(middle), (0, middle[1], 7, *middle[3:]), (*middle[:6], 7, 0)]
    assert errors([op], variables, points).max() < 1e-12
    assert max(t.values.size for t in terms([op], variables).terms) == 8 * 8 * len(FIGURES)


def test_layers_that_are_alike_share_their_tables() -> None:
    """Three layers take no more room in a file than one, and come back as they were."""
    one, three = (terms(*encoder(n)) for n in (1, 3))
    documents = [json.dumps(known.to_json()) for known in (one, three)]
    assert len(documents[1]) < 1.1 * len(documents[0])
    again = CostTerms.from_json(json.loads(documents[1]))
    points = drawn(encoder(3)[1], 5)
    assert (again.costs(points) == three.costs(points)).all()


@pytest.mark.parametrize("other", ["values", "order"])
def test_layers_that_only_look_alike_have_their_own(other: str) -> None:
    """Other values to choose from, or variables in another order, make another table."""
    first, second = (
        linear("a", [("i", 8, ())], [("channels:a", 16, ())]),
        linear("b", [("i", 8, ())], [("channels:b", 16, ())]),
    )
    variables = (widths("channels:a", 16), *forms(first), *forms(second), widths("channels:b", 16))
    if other == "values":
        variables = (widths("channels:a", 16), Variable("channel-pruning", "channels:b", (1.0, 0.3)))
    assert errors([first, second], variables, drawn(variables, 20)).max() < 1e-12


def test_what_is_asked_is_asked_in_the_order_of_the_methods() -> None:
    """A rank is a share of what pruning left, so pruning goes first, wherever its variable stands."""
    op = linear("a", [("channels:i", 64, ())], [("channels:a", 32, ())])
    variables = (Variable("low-rank", op.site, (1.0, 0.25)), Variable("channel-pruning", "channels:a", (1.0, 0.5)))
    ((order, table),) = OpTables(METHODS, variables, op).over(
        lambda _: True, lambda ops: {"weights": sum(o.weights[0].elements for o in ops)}, ["weights"]
    )
    assert (order, table[..., 0].tolist()) == ((0, 1), [[2048, 1024], [8 * 96, 4 * 80]])

"""The LASSO path against coordinate descent, which solves it one penalty at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.numerics.lasso import Array, lasso_entries


def descended(gram: Array, target: Array, penalty: float, rounds: int = 4000) -> Array:
    """The solution at one penalty: each factor in turn gets its best value, soft-thresholded."""
    factors = np.zeros(len(target))
    for _ in range(rounds):
        before = factors.copy()
        for j in range(len(target)):
            rest = target[j] - gram[j] @ factors + gram[j, j] * factors[j]
            factors[j] = np.sign(rest) * max(abs(rest) - penalty, 0.0) / gram[j, j]
        if np.abs(factors - before).max() < 1e-13:
            break
    return factors


def problem(seed: int, n: int) -> tuple[Array, Array]:
    """The Gram matrix of random, correlated variables, and what they add up to."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(4 * n, n)) * rng.uniform(0.2, 2.0, n) + 0.7 * rng.normal(size=(4 * n, 1))
    gram = z.T @ z / len(z)
    return gram, gram.sum(axis=1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.floats(0.02, 0.98))
def test_what_is_in_the_solution_has_entered(seed: int, n: int, share: float) -> None:
    """At any penalty, only variables whose entry lies above it have a factor."""
    gram, target = problem(seed, n)
    entries = lasso_entries(gram, target)
    penalty = share * float(np.abs(target).max())
    active = np.abs(descended(gram, target, penalty)) > 1e-9
    assert (entries[active] >= penalty * (1 - 1e-6)).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_a_variable_enters_at_its_entry(seed: int, n: int) -> None:
    """A little above it has no factor there, a little below it has one."""
    gram, target = problem(seed, n)
    entries = lasso_entries(gram, target)
    assert (entries > 0).all()
    assert entries.max() == np.abs(target).max()
    for j in range(n):
        assert abs(descended(gram, target, entries[j] * 1.0001)[j]) < 1e-9
        assert abs(descended(gram, target, entries[j] * 0.9999)[j]) > 1e-9


def test_variables_that_leave_keep_their_first_entry() -> None:
    """A problem in which a factor returns to zero on the way: found by the path, not by luck."""
    for seed in range(300):
        rng = np.random.default_rng(seed)
        z = rng.normal(size=(12, 4))
        gram, target = z.T @ z, z.T @ rng.normal(size=12)
        penalties = np.geomspace(np.abs(target).max(), 1e-3, 60)
        signs = np.array([np.sign(np.round(descended(gram, target, p), 9)) for p in penalties])
        left = [j for j in range(4) if (np.diff((signs[:, j] != 0).astype(int)) < 0).any()]
        if left:
            first = [penalties[np.argmax(signs[:, j] != 0)] for j in range(4)]
            assert np.all(lasso_entries(gram, target) >= np.array(first) * (1 - 1e-9))
            return
    raise AssertionError("no such problem among these")


def test_what_adds_nothing_never_enters() -> None:
    """Zeros stay out; of two that are the same, both are in or one stands for both; nothing at all is no error."""
    gram, target = problem(3, 5)
    gram[2] = gram[:, 2] = 0
    entries = lasso_entries(gram, gram.sum(axis=1))
    assert entries[2] == 0 < np.delete(entries, 2).min()
    double = np.ones((2, 2))
    assert lasso_entries(double, double.sum(axis=1)).max() == 2
    assert lasso_entries(np.zeros((3, 3)), np.zeros(3)).tolist() == [0, 0, 0]
    assert target.shape == (5,)

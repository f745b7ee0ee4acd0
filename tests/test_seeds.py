"""Every published system that a recipe can name is shown to do what it must: its id marks a test."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from methods.published.catalogue import PUBLISHED

TESTS = Path(__file__).parent


def marked(path: Path) -> set[str]:
    """The ids in `pytest.mark.seed(...)` of a file."""
    calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    seeds = [c for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr == "seed"]
    return {str(arg.value) for call in seeds for arg in call.args if isinstance(arg, ast.Constant)}


@pytest.fixture(scope="module")
def shown() -> set[str]:
    """All ids that some test is marked with."""
    return set().union(*(marked(path) for path in TESTS.rglob("test_*.py")))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_system_is_shown(name: str, shown: set[str]) -> None:
    """At least one test carries its id."""
    assert name in shown

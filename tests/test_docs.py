"""The reference names everything that there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwmodels.base import METRICS
from hwmodels.catalogue import DEVICES
from methods.catalogue import METHODS
from search.catalogue import STRATEGIES
from service.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
NAMES = [*METHODS, *DEVICES, *STRATEGIES, *METRICS, *(f"FITWRIGHT_{n.upper()}" for n in Settings.model_fields)]


@pytest.mark.parametrize("name", NAMES)
def test_reference_names_it(name: str) -> None:
    """Every method, device, strategy, metric and setting has its row."""
    assert f"`{name}`" in REFERENCE


def test_decisions_are_indexed() -> None:
    """Every decision record stands in the index."""
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    missing = [p.name for p in (ROOT / "docs" / "decisions").glob("0*.md") if p.name not in index]
    assert missing == []


def test_makefile_has_the_words_that_the_readme_promises() -> None:
    """setup, demo, test, check, bench, serve."""
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"\n{word}:" in makefile for word in ("help", "setup", "demo", "test", "check", "bench", "serve"))

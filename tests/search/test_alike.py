"""Rows that are alike are folded into one, and only those."""

from __future__ import annotations

from typing import Any

from search.alike import fold


def row(site: str, made_by: list[str], units: int = 8, error: float = 0.0) -> dict[str, Any]:
    return {"site": f"channels:{site}", "units": units, "made_by": made_by, "relative_error": error}


def test_layers_that_repeat_are_one_row() -> None:
    """Twelve layers: one row with the span of their numbers, their count and the largest error."""
    rows = [row(f"encoder.{n}.up", [f"encoder.{n}.up", "bias"], error=n * 1e-8) for n in range(12)]
    (found,) = fold(rows)
    assert (found["site"], found["count"]) == ("channels:encoder.{0..11}.up", 12)
    assert (found["made_by"], found["relative_error"]) == (["encoder.{0..11}.up", "bias"], 11e-8)


def test_other_figures_stay_apart() -> None:
    """Stages of a residual network differ in width; gaps in the numbers are shown."""
    rows = [row(f"layer1.{n}.conv", [], 64) for n in (0, 2)] + [row("layer1.1.conv", [], 128)]
    assert [(r["site"], r["count"]) for r in fold(rows)] == [
        ("channels:layer1.{0,2}.conv", 2),
        ("channels:layer1.1.conv", 1),
    ]


def test_only_one_number_may_differ() -> None:
    """Rows of a grid are folded along the axis that leaves the fewest."""
    rows = [row(f"s{stage}.{block}.conv1", []) for stage in (1, 2) for block in range(4)]
    assert [r["site"] for r in fold(rows)] == ["channels:s1.{0..3}.conv1", "channels:s2.{0..3}.conv1"]


def test_names_of_other_layers_keep_rows_apart() -> None:
    """A layer that is made by another one of its neighbours is something else."""
    rows = [row("a.0", ["a.0", "b.7"]), row("a.1", ["a.1", "b.8"])]
    assert [r["site"] for r in fold(rows)] == ["channels:a.0", "channels:a.1"]
    assert fold([]) == []


def test_longer_numbers_are_not_mistaken() -> None:
    """`a.1` is no beginning of `a.10`."""
    (found, other) = fold([row("a.1.x", ["a.10.y"]), row("a.2.x", ["a.2.y"])])
    assert (found["made_by"], other["made_by"]) == (["a.10.y"], ["a.2.y"])

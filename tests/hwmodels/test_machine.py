from __future__ import annotations

from pathlib import Path

import pytest

from hwmodels import machine
from hwmodels.machine import near_bytes


@pytest.mark.parametrize(("size", "found"), [("1024K", 1024 * 1024), ("2M", 2 * 1024 * 1024), ("much", 0), ("", 0)])
def test_the_second_level_is_what_is_near(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: str, found: int
) -> None:
    """Whichever place it has in the system's list; a size that can't be read is none."""
    monkeypatch.setattr(machine, "CACHES", tmp_path)
    for number, (level, its) in enumerate((("1", "32K"), ("1", "32K"), ("3", "32768K"), ("2", size))):
        (tmp_path / f"index{number}").mkdir()
        (tmp_path / f"index{number}" / "level").write_text(f"{level}\n")
        (tmp_path / f"index{number}" / "size").write_text(f"{its}\n")
    assert near_bytes() == found


def test_a_system_that_tells_nothing_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a folder that isn't there nor one without entries is an error."""
    monkeypatch.setattr(machine, "CACHES", tmp_path / "none")
    assert near_bytes() == 0
    (tmp_path / "none" / "index0").mkdir(parents=True)
    assert near_bytes() == 0

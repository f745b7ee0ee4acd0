"""The corpus: every hostile or broken file there is, made anew each time and always the same."""

from __future__ import annotations

from pathlib import Path

from tests.hostile import of_fwm, of_onnx, of_other, of_pt2, of_weights, of_zip
from tests.hostile.case import SECRET, Case, Traps


def traps_in(folder: Path) -> Traps:
    """A mark that payloads would leave in `folder`, and a file there that they would read."""
    folder.mkdir(parents=True, exist_ok=True)
    traps = Traps(folder / "canary", folder / "secret.bin")
    traps.secret.write_bytes(SECRET)
    return traps


def corpus(traps: Traps) -> list[Case]:
    """All cases."""
    return [case for kind in (of_zip, of_fwm, of_weights, of_pt2, of_onnx, of_other) for case in kind.cases(traps)]


def write(cases: list[Case], folder: Path) -> list[Path]:
    """Each case as a file under its own name, in a folder of its own; returns the paths in order."""
    paths = []
    for i, case in enumerate(cases):
        path = folder / f"{i:04d}" / case.name
        path.parent.mkdir(parents=True)
        path.write_bytes(case.data)
        paths.append(path)
    return paths

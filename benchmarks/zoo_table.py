"""The coverage table of the zoo: one network's results as a row, the columns, and what stands below them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from benchmarks.zoo_rival import INSTALL, available


@dataclasses.dataclass
class Row:
    """One network's results; None where nothing could be found out. Times in seconds, shares and errors as ratios."""

    name: str
    architecture: str
    captured_s: float | None = None
    parameters: int | None = None
    macs_share: float | None = None
    parameters_share: float | None = None
    groups: int | None = None
    units: int | None = None
    verified: int | None = None
    error: float | None = None
    exported: bool = False
    runtime_error: float | None = None
    trains: bool = False
    torch_pruning: str = ""
    reasons: list[str] = dataclasses.field(default_factory=list)


def share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def tiny(value: float | None) -> str:
    return "-" if value is None else f"{value:.0e}"


COLUMNS: list[tuple[str, int, Callable[[Row], str]]] = [
    ("architecture", 34, lambda r: r.architecture),
    ("capture s", 9, lambda r: "failed" if r.captured_s is None else f"{r.captured_s:.2f}"),
    ("parameters", 10, lambda r: str(r.parameters or "-")),
    ("of MACs", 7, lambda r: share(r.macs_share)),
    ("of parameters", 13, lambda r: share(r.parameters_share)),
    ("groups", 6, lambda r: "-" if r.groups is None else str(r.groups)),
    ("units", 5, lambda r: "-" if r.units is None else str(r.units)),
    ("verified", 8, lambda r: "-" if r.verified is None else f"{r.verified} of {r.groups}"),
    ("error", 6, lambda r: tiny(r.error)),
    ("exported", 8, lambda r: "yes" if r.exported else "no"),
    ("onnxruntime", 11, lambda r: tiny(r.runtime_error)),
    ("trains", 6, lambda r: "yes" if r.trains else "no"),
    ("torch-pruning", 13, lambda r: r.torch_pruning or "-"),
]
"""Title, width, and what stands there."""


def header() -> None:
    """Prints the titles."""
    print(" ".join(f"{title:<{width}}" for title, width, _ in COLUMNS).rstrip())


def shown(row: Row) -> Row:
    """Prints a row and gives it back."""
    print(" ".join(f"{text(row):<{width}}" for _, width, text in COLUMNS).rstrip(), flush=True)
    return row


def summary(rows: list[Row]) -> None:
    """Prints why something failed, how many hold in everything, and how far torch-pruning gets."""
    for row in rows:
        for reason in row.reasons:
            print(f"  {row.name}: {reason}")
    fine = sum(not row.reasons for row in rows)
    units = sum(row.units or 0 for row in rows)
    print(
        f"{fine} of {len(rows)} networks hold in everything; {units} units in {sum(r.groups or 0 for r in rows)} groups"
    )
    if not available():
        print(f"torch-pruning is not installed, so its column is empty: {INSTALL}")
        return
    whole = sum(row.torch_pruning.isdigit() and row.torch_pruning != "0" for row in rows)
    removable = sum(int(row.torch_pruning.split()[0]) for row in rows if row.torch_pruning[:1].isdigit())
    print(
        f"torch-pruning: no trouble in {whole} of {len(rows)}; {removable} units (a unit there is always one channel)"
    )

"""Every figure, one after the other: `make bench`. `python -m benchmarks forms --only int8` hands its options on."""

from __future__ import annotations

import runpy
import sys
from itertools import takewhile

BENCHMARKS = (
    "planning",
    "overhead",
    "recipes_error",
    "cores",
    "table_error",
    "runtimes_error",
    "demo_stages",
    "capture_cost",
    "sparsity",
    "clustering",
    "coding",
    "factors",
    "levels",
    "forms",
    "forms_peers",
    "importances",
    "recoveries",
    "students",
    "channels",
    "zoo",
)


def main() -> None:
    """Runs all benchmarks, or those named."""
    names = list(takewhile(lambda word: not word.startswith("-"), sys.argv[1:]))
    options = sys.argv[1 + len(names) :]
    for name in names or BENCHMARKS:
        print(f"\n== {name}", flush=True)
        sys.argv = [name, *options]
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")


if __name__ == "__main__":
    main()

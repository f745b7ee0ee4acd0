"""Every figure, one after the other: `make bench`."""

from __future__ import annotations

import runpy
import sys

BENCHMARKS = ("planning", "overhead", "recipes_error", "table_error", "demo_stages", "capture_cost", "zoo")


def main() -> None:
    """Runs all benchmarks, or those named."""
    for name in sys.argv[1:] or BENCHMARKS:
        print(f"\n== {name}", flush=True)
        sys.argv = [name]
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")


if __name__ == "__main__":
    main()

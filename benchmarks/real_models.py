"""Real architectures: captured, verified, pruned, trained a step, exported; what fails says why.

    make zoo-real                                  installs the packages into .real, and runs all, the smaller first
    python -m benchmarks.real_models timm --json real.json --skip-done

Each model runs in a process of its own. Rows: seconds to capture; groups; largest error of the check; largest relative
difference of onnxruntime from the graph, whole and without 30 % of its units; whether that one trains a step.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.real_catalogue import SOURCES, define_torchvision_operators

PACKAGES = Path(__file__).resolve().parent.parent / ".real"
SHARE, TOLERANCE, LIMIT_S = 0.3, 1e-4, 900


def examine(source: str, name: str) -> dict[str, Any]:
    """Everything about one model; raises at the first thing that fails."""
    from methods.graph.coupling.trace import couple
    from methods.graph.coupling.verify import verify
    from methods.graph.intake.capture import capture
    from methods.graph.onnx_out.export import check_export, export
    from methods.graph.surgery.edit import prune
    from tests.zoo.catalogue import randomise_all

    torch.manual_seed(0)
    model, example = SOURCES[source][1](name)
    randomise_all(model)
    start = time.perf_counter()
    graph = capture(model, example)
    row: dict[str, Any] = {"capture_s": time.perf_counter() - start, "parameters": graph.parameter_count}
    coupling = couple(graph)
    errors = verify(graph, coupling)
    row |= {"groups": len(errors), "error": max(errors.values(), default=0.0)}
    row["bad"] = [site for site, error in errors.items() if not error <= TOLERANCE]
    generator = torch.Generator().manual_seed(1)
    trusted = {site: len(group) for site, group in coupling.groups.items() if site not in row["bad"]}
    kept = {site: _some(units, generator) for site, units in trusted.items()}
    smaller = prune(graph, kept, coupling)
    smaller.check()
    row["left"] = smaller.parameter_count / graph.parameter_count
    row["runtime_error"] = max(check_export(g, export(g)) for g in (graph, smaller))
    row["trains"] = _trains(smaller)
    return row


def _some(units: int, generator: torch.Generator) -> list[int]:
    count = max(1, units - max(1, round(SHARE * units)))
    return sorted(torch.randperm(units, generator=generator)[:count].tolist())


def _trains(graph: Any) -> bool:
    graph.set_training(True)
    loss = sum(o.float().square().mean() for o in graph(*graph.example(2)))
    loss.backward()
    return all(p.grad is None or bool(torch.isfinite(p.grad).all()) for p in graph.module.parameters())


def in_child(source: str, name: str) -> dict[str, Any]:
    """The same in a process of its own; a failure is a row with its reason."""
    code = f"from benchmarks import real_models as r; r.child({source!r}, {name!r})"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"takes more than {LIMIT_S} s"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        return {"failed": f"ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}"}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def child(source: str, name: str) -> None:
    """Prints one row as JSON."""
    from methods.graph.ir import first_line

    torch.set_num_threads(1)
    sys.path.insert(0, str(PACKAGES))
    define_torchvision_operators()
    try:
        row = examine(source, name)
    except Exception as error:  # any failure is a result here
        row = {"failed": f"{type(error).__name__}: {first_line(error)}"}
    print(json.dumps(row))


def passed(row: dict[str, Any]) -> bool:
    """Whether all of it holds."""
    return (
        "failed" not in row and not row["bad"] and row["groups"] > 0 and row["runtime_error"] < 1e-3 and row["trains"]
    )


def show(name: str, row: dict[str, Any]) -> None:
    """One line of the table."""
    if "failed" in row:
        print(f"{name:34} FAILED {row['failed']}", flush=True)
        return
    print(
        f"{name:34} {row['capture_s']:7.1f} s {row['parameters'] / 1e6:7.1f} M {row['groups']:4} groups"
        f"  error {row['error']:.0e}  left {row['left']:.2f}  onnxruntime {row['runtime_error']:.0e}"
        f"  {'ok' if passed(row) else 'NOT OK ' + ', '.join(row['bad'][:3])}",
        flush=True,
    )


def main() -> None:
    """Runs the models of the packages named (default all), prints a line for each and the totals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*", default=list(SOURCES), help=f"of {', '.join(SOURCES)}")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="these models alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="rows are kept here; models in it are not run again")
    parser.add_argument("--minutes", type=float, default=1e9, help="starts no further model after this long")
    arguments = parser.parse_args()
    rows = json.loads(arguments.json.read_text()) if arguments.json and arguments.json.exists() else {}
    end = time.monotonic() + 60 * arguments.minutes
    for source in arguments.packages:
        for name in SOURCES[source][0]:
            key = f"{source}/{name}"
            if (arguments.only and name not in arguments.only) or time.monotonic() > end:
                continue
            if key not in rows or arguments.only:
                rows[key] = in_child(source, name)
                if arguments.json:
                    arguments.json.write_text(json.dumps(rows, indent=1))
            show(key, rows[key])
        found = [row for key, row in rows.items() if key.startswith(source + "/")]
        print(f"{source}: {sum(map(passed, found))} of {len(found)} ({len(SOURCES[source][0])} listed)", flush=True)


if __name__ == "__main__":
    main()

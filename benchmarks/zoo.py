"""What holds for each architecture of the zoo: the coverage table, and torch-pruning beside it in the same run.

Per network: seconds to capture it; parameters; share of MACs and of parameters in operators whose width can change;
groups, units, how many groups verify, the largest error; largest difference of onnxruntime from the graph, whole and
without 30 % of its units (relative); whether that one trains a step; and the units that torch-pruning can remove.
Exits with 1 where anything of ours fails; the reasons stand below the table.

    python -m benchmarks.zoo --json zoo.json resnet_basic gpt
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.zoo_rival import available, rival
from benchmarks.zoo_table import Row, header, shown, summary
from methods.graph.coupling.trace import couple
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph, first_line
from methods.graph.onnx_out.export import check_export, export
from methods.graph.surgery.edit import prune
from search.inspect import describe
from tests.zoo.catalogue import ZOO, network
from tests.zoo.checks import random_kept, trained

TOLERANCE = 1e-4
SHARE = 0.3
"""Part of the units of every group that is pruned."""


def main() -> None:
    """Prints the table, row by row, then the reasons of failures and the totals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"networks (default: all {len(ZOO)})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also writes the rows to a file")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - set(ZOO)):
        parser.error(f"the zoo has no {', '.join(unknown)}; it has {', '.join(ZOO)}")
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    header()
    rows = [shown(measured(name)) for name in arguments.names or ZOO]
    summary(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps([dataclasses.asdict(row) for row in rows], indent=1) + "\n")
    if any(row.reasons for row in rows):
        sys.exit(1)


def measured(name: str) -> Row:
    """Everything about one network; what fails leaves its reason."""
    model, example = network(name)
    inputs = example if isinstance(example, tuple) else (example,)
    row = Row(name, ZOO[name].architecture)
    row.torch_pruning = rival(model, inputs) if available() else ""
    start = time.perf_counter()
    graph = attempt(row, "capture", lambda: capture(model, inputs))
    if graph is not None:
        row.captured_s = time.perf_counter() - start
        attempt(row, "inspect", lambda: inspected(row, graph))
        attempt(row, "export", lambda: exported(row, graph))
        attempt(row, "pruning", lambda: pruned(row, graph))
    return row


def attempt(row: Row, what: str, call: Callable[[], Any]) -> Any:
    """The call's result; None where it fails, which the row then tells."""
    try:
        return call()
    except Exception as error:  # any failure is a result here
        row.reasons.append(f"{what}: {type(error).__name__}: {first_line(error)}")
        return None


def inspected(row: Row, graph: Graph) -> None:
    """Fills in what `fitwright inspect` says."""
    document = describe(graph)
    coverage, groups = document["coverage"], document["groups"]
    row.parameters, row.groups = document["parameters"], len(groups)
    row.units = sum(g["units"] for g in groups)
    row.macs_share = coverage["channels_share_of_macs"]
    row.parameters_share = coverage.get("channels_share_of_parameters")
    row.verified = sum(g["relative_error"] <= TOLERANCE for g in groups)
    row.error = max((g["relative_error"] for g in groups), default=None)
    if row.verified < row.groups or not groups:
        bad = [g["site"] for g in groups if not g["relative_error"] <= TOLERANCE]
        row.reasons.append(f"verification: {', '.join(bad)}" if bad else "verification: there is nothing to prune")


def exported(row: Row, graph: Graph) -> None:
    """Holds the ONNX file against the graph."""
    program = export(graph)
    row.exported = True
    row.runtime_error = max(row.runtime_error or 0.0, check_export(graph, program))
    if not row.runtime_error <= TOLERANCE:
        row.reasons.append(f"onnxruntime: differs by {row.runtime_error:.2g}")


def pruned(row: Row, graph: Graph) -> None:
    """Prunes at random; what is left must run, train as far as before, and export."""
    smaller = prune(graph, random_kept(couple(graph), SHARE, seed=0))
    smaller.check()
    lost = trained(graph) - trained(smaller)
    row.trains = not lost
    if lost:
        row.reasons.append(f"training: no gradient reaches {', '.join(sorted(lost))}")
    exported(row, smaller)


if __name__ == "__main__":
    main()

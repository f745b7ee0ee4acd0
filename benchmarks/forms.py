"""Every form on LeNet-5 / MNIST and on a residual network / Fashion-MNIST: accuracy, bytes and measured latency.

python -m benchmarks.forms [--only NAME,NAME] [--network NAME,NAME] [--json FILE]

Each form is put on all layers that can take it; then all train for the same two epochs of 2,000 images with the
untouched network as teacher, published systems by their own schedule and recovery: what is shown is how the forms
compare, not how far each would get. Accuracy is that on 2,000 images that training doesn't see; bytes are those of the
packed file; latency is onnxruntime's for batch 1 on one thread, of all networks interleaved in one request, as a ratio
of the untouched network. The last table shows a joint recipe beside its two parts. Under 12 minutes on two cores that
do other work too. Fashion-MNIST comes from Debian's package dataset-fashion-mnist.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from benchmarks import forms_joint
from benchmarks.forms_list import FORMS, Form, recipe
from benchmarks.levels import Bench
from examples.train import trained_residual
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.profilers.onnxruntime import OnnxRuntimeProfiler
from methods.base import Data
from methods.catalogue import reshapes
from methods.graph.file import packed_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.onnx_out.export import export
from methods.recovery.catalogue import schedule_of
from search.candidates import configured
from search.data import DataError, load_dataset
from search.problem import Recipe, Step
from search.splits import split
from search.target import FormTarget

EPOCHS, SAMPLES = 2, 2000
"""Of every recovery: passes, and over how many images."""


@dataclass(frozen=True)
class Row:
    """One form of one network: layers that took it, accuracy put on and recovered, bytes, latency against untouched."""

    network: str
    form: str
    before: float
    sites: int = 0
    put_on: float = 0.0
    recovered: float = 0.0
    file_bytes: int = 0
    smaller: float = 0.0
    latency: float = 0.0
    seconds: float = 0.0


def lenet5() -> Bench:
    """LeNet-5 on MNIST."""
    return Bench.lenet5()


def residual() -> Bench:
    """The residual network on Fashion-MNIST. Raises DataError where that isn't installed."""
    parts = split(load_dataset("fashion-mnist"), 0)
    return Bench(capture(trained_residual(), parts.train.inputs[0][:2]), parts.train, parts.report)


NETWORKS = {"lenet5": lenet5, "residual": residual}


def rows_of(network: str, bench: Bench, forms: Sequence[Form]) -> list[Row]:
    """All rows of one network; told one by one, the latencies at the end."""
    whole, best = packed_bytes(bench.graph), bench.accuracy(bench.graph)
    rows, graphs = [], []
    for form in forms:
        made = recipe(form, bench.graph, bench.train.head(SAMPLES), EPOCHS)
        if form is not FORMS[0] and not made.steps:
            print(f"  {form.name}: nothing here can take it", flush=True)
            continue
        row, graph = formed(Row(network, form.name, best), bench, made, whole)
        print(f"  {line(row)}", flush=True)
        rows.append(row)
        graphs.append(graph)
    times = latencies([bench.graph, *graphs])
    return [replace(row, latency=t / times[0]) for row, t in zip(rows, times[1:], strict=True)]


def formed(row: Row, bench: Bench, made: Recipe, whole: int) -> tuple[Row, Graph]:
    """A row without its latency, and the recovered network."""
    start, data = time.monotonic(), bench.train.head(SAMPLES)
    put_on = target(bench, made.steps, data).apply(bench.graph)
    found = reached(bench, made, data)
    size, sites = packed_bytes(found), sum(len(step.choices) for step in made.steps)
    row = replace(row, sites=sites, put_on=bench.accuracy(put_on), recovered=bench.accuracy(found))
    return replace(row, file_bytes=size, smaller=whole / size, seconds=time.monotonic() - start), found


def reached(bench: Bench, made: Recipe, data: Data) -> Graph:
    """The recovered network. Of a recipe that reshapes layers and puts forms on them, the reshaped ones are trained and
    the forms put on in the end, so that they see what recovered layers give, and all recipes train for as long."""
    shapes = [step for step in made.steps if reshapes(step.method)] or list(made.steps)
    later = [step for step in made.steps if step not in shapes]
    plan = schedule_of(made.training)
    found = plan.reach(bench.graph, bench.graph, data, 0, target(bench, shapes, data))
    return target(bench, later, data).apply(found) if later else found


def target(bench: Bench, steps: Sequence[Step], data: Data) -> FormTarget:
    """Steps as something to reach."""
    return FormTarget([(configured(step), step.choices) for step in steps], bench.graph, data)


def latencies(graphs: Sequence[Graph]) -> list[float]:
    """Seconds a sample in onnxruntime: least of many short calls, all networks interleaved."""
    profiler = OnnxRuntimeProfiler(timeout_s=300.0)
    try:
        return [m.latency_s for m in profiler.measure([export(graph) for graph in graphs], LOCAL_ONNXRUNTIME)]
    finally:
        profiler.close()


def line(row: Row) -> str:
    """One row of the table."""
    accuracy = f"{row.put_on:7.2%} {row.recovered:9.2%} {100 * (row.recovered - row.before):+7.2f}"
    latency = f"{row.latency:8.3f}" if row.latency else f"{'':8}"
    return (
        f"{row.form:24} {row.sites:5} {accuracy} {row.file_bytes:9,} {row.smaller:7.1f}x {latency} {row.seconds:4.0f}"
    )


def show(rows: Sequence[Row]) -> None:
    """The table of one network."""
    print(f"\n{rows[0].network}: {rows[0].before:.2%} untouched; {EPOCHS} epochs of {SAMPLES} images for every form")
    titles = f"{'put on':>7} {'recovered':>9} {'points':>7} {'bytes':>9} {'smaller':>8} {'latency':>8} {'s':>4}"
    print(f"{'form':24} {'sites':>5} {titles}")
    for row in rows:
        print(line(row))
    print(flush=True)


def asked() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="parts of names of forms, apart by commas")
    parser.add_argument("--network", default=",".join([*NETWORKS, "joint"]), help="lenet5, residual, joint")
    parser.add_argument("--json", type=Path, help="a file for all rows")
    return parser.parse_args()


def main() -> None:
    """Prints the tables."""
    torch.set_num_threads(1)
    options, found, start = asked(), [], time.monotonic()
    forms = [form for form in FORMS if any(part in form.name for part in options.only.split(","))]
    try:
        for network in [name for name in NETWORKS if name in options.network.split(",")]:
            rows = rows_of(network, NETWORKS[network](), forms)
            show(rows)
            found += [asdict(row) for row in rows]
        if "joint" in options.network.split(","):
            found += [asdict(row) for row in forms_joint.main()]
    except DataError as error:
        print(f"the other tables are missing: {error}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    print(f"{time.monotonic() - start:.0f} s in all")


if __name__ == "__main__":
    main()

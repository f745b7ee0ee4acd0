"""The table against the stopwatch on real recipes: LeNet-5 and a residual network, 15 random recipes each.

Each recipe is estimated as in a search (missing nodes measured on demand); then all networks are timed as a whole,
interleaved. Printed: mean and worst relative error, Kendall's tau, and tau of MACs and parameters in the same run.

    python -m benchmarks.recipes_error
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import kendalltau

from examples.networks import lenet5, residual_digits
from methods.graph.file import write
from methods.graph.intake.capture import capture
from methods.graph.onnx_out.export import export
from search.candidates import Effort, compress, cost_of
from search.context import Context, measure_pair, open_context
from search.problem import Recipe, Step

NETWORKS = {"lenet5": (lenet5, 28, "mnist"), "residual": (residual_digits, 8, "digits")}


def main() -> None:
    """Prints one line per network and one for both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", type=int, default=15, help="random recipes per network (default 15)")
    arguments = parser.parse_args()
    estimates, measured, macs = [], [], []
    for name in NETWORKS:
        rows = recipes_of(name, arguments.recipes)
        line(name, *(np.array(column) for column in zip(*rows, strict=True)))
        for row, column in zip(zip(*rows, strict=True), (estimates, measured, macs), strict=True):
            column.extend(row)
    line("both", np.array(estimates), np.array(measured), np.array(macs))


def recipes_of(name: str, count: int) -> list[tuple[float, float, float]]:
    """Estimated and measured seconds and MACs of `count` random recipes of one network."""
    torch.manual_seed(0)
    make, size, data = NETWORKS[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.fwm"
        write(capture(make(), torch.zeros(1, 1, size, size)), path)
        request = {"device": "local-onnxruntime", "limits": {"latency": "1x"}, "seed": 0, "dataset": data}
        context = open_context(request, path, data)
    graphs = [compress(context, recipe, Effort.NONE) for recipe in random_recipes(context, count)]
    costs = [cost_of(context, graph) for graph in graphs]
    times = measure_pair(context, [export(graph) for graph in graphs])
    return [(c["latency_s"].value, t.latency_s, c["macs"].value) for c, t in zip(costs, times, strict=True)]


def random_recipes(context: Context, count: int) -> list[Recipe]:
    """Random choices at every site: widths always, low rank and 8 bits at some sites in every other recipe."""
    draw = np.random.default_rng(0)
    spaces = {n: m.space(context.graph, context.device).sites for n, m in context.methods.items()}
    recipes = []
    for number in range(count):
        steps = []
        for method, sites in spaces.items():
            share = {"channel-pruning": 1.0, "low-rank": 0.3, "quantization": 0.5}.get(method, 0.0)
            if method != "channel-pruning" and number % 2:
                continue
            picked = [site for site in sites if draw.random() < share]
            chosen: dict[str, Any] = {site: sites[site][int(draw.integers(len(sites[site])))] for site in picked}
            steps.append(Step(method, {s: v for s, v in chosen.items() if v != sites[s][0]}))
        recipes.append(Recipe(tuple(s for s in steps if s.choices)))
    return recipes


def line(name: str, estimates: Any, measured: Any, macs: Any) -> None:
    """Mean and worst error, and how well each predictor ranks."""
    signed = estimates / measured - 1
    error = np.abs(signed)
    ranks = [float(kendalltau(x, measured)[0]) for x in (estimates, macs)]
    print(
        f"{name:9} {len(error):3} recipes: mean {error.mean():.2%}, p90 {np.quantile(error, 0.9):.2%}, "
        f"worst {error.max():.2%}, bias {signed.mean():+.2%}, tau {ranks[0]:.3f} (MACs alone: {ranks[1]:.3f})"
    )


if __name__ == "__main__":
    main()

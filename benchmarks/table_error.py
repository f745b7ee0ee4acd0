"""How far the lookup model's latency is from the network's own, on networks that it was never fitted to.

Networks of random width in three families, float32 and int8. Each is estimated first (nodes measured on demand, as in
a search), then all are timed as a whole, interleaved. Printed: mean and worst relative error and Kendall's tau of the
raw sum, and of the sum after one non-negative factor per operator type, fitted on all networks but the one predicted.

    python -m benchmarks.table_error --networks 10
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import kendalltau

from benchmarks.small_networks import FAMILIES, int8
from hwmodels.base import Cost
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.lookup import LookupModel, open_lookup
from hwmodels.profilers.onnxruntime import OnnxRuntimeProfiler
from hwmodels.workload import Workload

Array = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=10, help="networks per family (default 10)")
    parser.add_argument("--precision", choices=["fp32", "int8"], action="append", help="default: both")
    arguments = parser.parse_args()
    for precision in arguments.precision or ["fp32", "int8"]:
        names = [family for family in FAMILIES for _ in range(arguments.networks)]
        programs = [FAMILIES[family](seed) for seed, family in enumerate(names)]
        report(precision, names, [int8(p) for p in programs] if precision == "int8" else programs)


def report(precision: str, names: Sequence[str], programs: list[bytes]) -> None:
    """Estimates and measures the networks, and prints what there is to say about them."""
    profiler = OnnxRuntimeProfiler()
    model = open_lookup(LOCAL_ONNXRUNTIME, profiler)
    costs = estimate(model, programs)
    truth = np.array([m.latency_s for m in profiler.measure(programs, LOCAL_ONNXRUNTIME)])
    raw = np.array([cost["latency_s"].value for cost in costs])
    print(
        f"{precision}: {len(programs)} networks of {1e3 * truth.min():.2f} to {1e3 * truth.max():.2f} ms, call overhead"
    )
    print(f"  {1e6 * model.table.overhead_s:.2f} us, rows repeat within {model.table.noise_floor:.2%} (nine of ten)")
    line("raw sum", raw, truth)
    line("calibrated, leave one out", calibrated(costs, truth), truth)
    for family in dict.fromkeys(names):
        of = np.array([name == family for name in names])
        line(f"raw sum, {family}", raw[of], truth[of])
    profiler.close()


def estimate(model: LookupModel, programs: list[bytes]) -> list[Cost]:
    """Costs of the networks, and how long they took: with measuring, and again with every node in the table."""
    costs = []
    for what in ("measured on demand", "every node known"):
        start = time.perf_counter()
        costs = [model.estimate(Workload((), program=program), LOCAL_ONNXRUNTIME) for program in programs]
        each_s = (time.perf_counter() - start) / len(programs)
        print(f"  {1e3 * each_s:.1f} ms an estimate, {what} ({len(model.table.rows)} rows)")
    return costs


def calibrated(costs: Sequence[Cost], truth: Array) -> Array:
    """Each network by factors per operator type fitted on all others."""
    kinds = sorted({part.kind for cost in costs for part in cost.per_op})
    parts = np.zeros((len(costs), len(kinds)))
    for row, cost in zip(parts, costs):
        shares: defaultdict[str, float] = defaultdict(float)
        for part in cost.per_op:
            shares[part.kind] += part.latency_s
        row[:] = [shares[kind] for kind in kinds]
    predictions = []
    for left_out in range(len(costs)):
        others = np.arange(len(costs)) != left_out
        factors, _ = nnls(parts[others] / truth[others, None], np.ones(len(costs) - 1))
        predictions.append(parts[left_out] @ factors)
    return np.array(predictions)


def line(what: str, predicted: Array, truth: Array) -> None:
    errors = predicted / truth - 1.0
    tau = kendalltau(predicted, truth)[0]
    mean, worst, bias = np.abs(errors).mean(), np.abs(errors).max(), errors.mean()
    print(f"  {what:<28} mean {mean:6.2%}  worst {worst:6.2%}  bias {bias:+6.2%}  Kendall tau {tau:.3f}")


if __name__ == "__main__":
    main()

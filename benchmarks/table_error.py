"""How far the lookup model's latency is from the network's own, on networks that its calibration has never seen.

A table is built and calibrated as `fitwright profile` does it; then other networks of random width are estimated, their
missing nodes measured on demand as in a search, and timed as a whole. Printed, for each precision: mean, p90 and worst
relative error, the share within 5 and 10 %, Kendall's tau; by family, of those alone that nothing disturbed, and with
factors fitted on the other families; with MACs, parameters and a roofline fitted to the very networks that they predict
beside it.

    python -m benchmarks.table_error                            every table of the documentation, about 12 minutes
    python -m benchmarks.table_error --networks 4 --batch 1 --threads 1 --precision fp32 --json errors.json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.onnx_counts import count
from benchmarks.rivals import RIVALS
from hwmodels.calibrating import Sample, accuracy, fit, kendall_tau
from hwmodels.calibration import Calibration
from hwmodels.device import Device
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.disturbed import NOISY
from hwmodels.lookup import LookupModel, open_lookup
from hwmodels.networks.catalogue import FAMILIES
from hwmodels.networks.int8 import int8
from hwmodels.parts import BEYOND
from hwmodels.profile import TOGETHER, Case, calibration_set, network_keys, profile
from hwmodels.profilers.onnxruntime import OnnxRuntimeProfiler
from hwmodels.settings import with_settings
from hwmodels.workload import Workload

Array = NDArray[np.float64]

UNSEEN = 1000
"""Seeds from here on are none of the calibration's; another `--seed` gives networks that nothing was ever tuned on."""


@dataclass(frozen=True)
class Tried:
    """One unseen network: as the table has it, as measured, and how far two halves of that measurement disagree."""

    case: Case
    sample: Sample
    noise: float
    rows_noise: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=12, help="unseen networks per family and precision")
    parser.add_argument("--calibration", type=int, help="networks of the calibration set")
    parser.add_argument("--precision", choices=["fp32", "int8"], action="append", help="default: both")
    parser.add_argument("--batch", type=int, action="append", help="default: 1 and 8")
    parser.add_argument("--threads", type=int, action="append", help="default: 1, and 2 at batch 1")
    parser.add_argument("--family", choices=list(FAMILIES), action="append", help="default: all")
    parser.add_argument("--seed", type=int, default=UNSEEN, help=f"first seed of unseen networks (default {UNSEEN})")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    settings = [(b, t) for t in arguments.threads or [1] for b in arguments.batch or [1, 8]]
    settings += [] if arguments.batch or arguments.threads else [(1, 2)]
    found = []
    for batch, threads in settings:
        found += table(with_settings(LOCAL_ONNXRUNTIME, {"batch": batch, "threads": threads}), arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


def table(device: Device, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """One table: built, calibrated, tried on unseen networks; prints what there is to say and returns the figures."""
    profiler = OnnxRuntimeProfiler()
    model = open_lookup(device, profiler)
    start = time.perf_counter()
    calibration = profile(model, device, progress, networks=arguments.calibration, families=arguments.family)
    seconds = time.perf_counter() - start
    print(
        f"\n{device.id}: {calibration.networks} networks and {len(model.table.rows)} rows in {seconds:.0f} s; nine rows"
    )
    print(f"  of ten repeat within {model.table.noise_floor:.2%}; a call costs {1e6 * model.table.overhead_s:.1f} us")
    print(f"  by its own cross-validation: mean {calibration.mean:.2%}, worst {calibration.worst:.2%}, margin", end=" ")
    print(f"{calibration.margin:.2%}, families left out {calibration.family_mean:.2%}")
    samples = seen(model, device, arguments)
    found = []
    for precision in arguments.precision or ["fp32", "int8"]:
        tried = unseen(model, device, precision, arguments)
        rows = report(calibration, samples, tried, device.batch, arguments.seed)
        found += [{"device": device.id, "precision": precision, "build_s": seconds} | row for row in rows]
    profiler.close()
    return found


def progress(phase: str, done: int, total: int) -> None:
    """One line on standard error that says how far it is."""
    print(f"\r  {phase}: {done} of {total}   ", end="\n" if done == total else "", file=sys.stderr, flush=True)


def seen(model: LookupModel, device: Device, arguments: argparse.Namespace) -> list[Sample]:
    """The calibration's networks once more, from the table."""
    kept = model.calibration
    assert kept is not None
    cases = list(calibration_set(device, kept.networks, families=arguments.family))
    rows = (model.table.rows[key].latency_s for key in network_keys(cases, device))
    return [
        Sample(case.family, model.parts(Workload((), program=case.program), device), row)
        for case, row in zip(cases, rows)
    ]


def unseen(model: LookupModel, device: Device, precision: str, arguments: argparse.Namespace) -> list[Tried]:
    """Networks that were never fitted to, as the table has them and as measured; groups of them by turns."""
    cases = []
    for family in arguments.family or FAMILIES:
        programs = [FAMILIES[family](arguments.seed + n) for n in range(arguments.networks)]
        cases += [Case(family, precision, int8(p) if precision == "int8" else p) for p in programs]
    found = []
    for start in range(0, len(cases), TOGETHER):
        group = cases[start : start + TOGETHER]
        parts = [model.parts(Workload((), program=case.program), device) for case in group]
        times = model.profiler.measure([case.program for case in group], device)
        for case, part, measured in zip(group, parts, times):
            cost = replace_free(model, case, device)
            found.append(Tried(case, Sample(case.family, part, measured.latency_s), measured.disagreement, cost))
    start_s = time.perf_counter()
    for case in cases:
        model.estimate(Workload((), program=case.program), device)
    rate = len(cases) / (time.perf_counter() - start_s)
    print(f"  {precision}: {rate:.0f} recipes costed per second, every node known")
    return found


def replace_free(model: LookupModel, case: Case, device: Device) -> float:
    """How far the rows of a network disagree with themselves, without the margin."""
    kept, model.calibration = model.calibration, None
    if kept is not None:
        model.calibration = replace(kept, margin=0.0)
    noise = model.estimate(Workload((), program=case.program), device)["latency_s"].error
    model.calibration = kept
    return noise


def report(
    calibration: Calibration, samples: Sequence[Sample], tried: Sequence[Tried], batch: int, seed: int
) -> list[dict[str, Any]]:
    """Prints the errors of all predictors; returns them."""
    truth = np.array([t.sample.truth_s for t in tried])
    families = np.array([t.case.family for t in tried])
    ours = np.array([calibration.latency_s(t.sample.parts) for t in tried])
    raw = np.array([sum(s for kind, s in t.sample.parts.items() if not kind.startswith(BEYOND)) for t in tried])
    strangers = np.array([_stranger(samples, t.case.family).latency_s(t.sample.parts) for t in tried])
    names = list(dict.fromkeys(families))
    rows = [line("table, calibrated", ours, truth), line("table, as it is", raw, truth)]
    rows += [line(f"  {name}", ours[families == name], truth[families == name]) for name in names]
    rows += undisturbed(tried, ours, truth)
    if len(names) > 1:
        rows.append(line("family left out", strangers, truth))
        rows += [line(f"  {name}", strangers[families == name], truth[families == name]) for name in names]
    counts = [count(FAMILIES[t.case.family](seed + n % (len(tried) // len(names))), batch) for n, t in enumerate(tried)]
    rows += [line(name, rival(counts, truth), truth) for name, rival in RIVALS.items()]
    worst = sorted(range(len(tried)), key=lambda n: -abs(ours[n] / truth[n] - 1.0))[:3]
    for n in worst:
        _explain(tried[n], ours[n] / truth[n] - 1.0, calibration)
    return rows


def undisturbed(tried: Sequence[Tried], ours: Array, truth: Array) -> list[dict[str, Any]]:
    """The networks that nothing disturbed, nodes and whole: tells the model's error from noise."""
    noise = np.array([max(t.noise, t.rows_noise) for t in tried])
    quiet = noise <= NOISY
    related = kendall_tau(noise, np.abs(ours / truth - 1.0))
    print(
        f"  noise of networks and rows: median {np.median(noise):.1%}, most {noise.max():.0%}; it ranks like errors by",
        end=" ",
    )
    print(f"tau {related:.2f}")
    return [line(f"  noise <= {NOISY:.0%}", ours[quiet], truth[quiet])] if quiet.sum() > 1 else []


_FITTED: dict[tuple[int, str], Calibration] = {}


def _stranger(samples: Sequence[Sample], family: str) -> Calibration:
    """The calibration without a family."""
    key = (id(samples), family)
    if key not in _FITTED:
        others = [sample for sample in samples if sample.family != family]
        _FITTED[key] = fit(others if len(others) > 2 else samples)
    return _FITTED[key]


def _explain(tried: Tried, error: float, calibration: Calibration) -> None:
    """A network far off: how well it repeats, and where its time goes."""
    shares = {kind: calibration.factor(kind) * s / tried.sample.truth_s for kind, s in tried.sample.parts.items()}
    most = sorted(shares, key=lambda kind: -shares[kind])[:3]
    parts = ", ".join(
        f"{kind.rpartition('.')[2]} {shares[kind]:.0%} (x{calibration.factor(kind):.2f})" for kind in most
    )
    print(
        f"    worst: {tried.case.family} of {1e3 * tried.sample.truth_s:.3f} ms, {error:+.2%}; it repeats within",
        end=" ",
    )
    print(f"{tried.noise:.2%}, its rows within {tried.rows_noise:.2%}; {parts}")


def line(what: str, predicted: Array, truth: Array) -> dict[str, Any]:
    errors = np.abs(predicted / truth - 1.0)
    found = accuracy(predicted, truth)
    within = {f"within_{limit}": float((errors <= limit / 100).mean()) for limit in (5, 10)}
    bias = float((predicted / truth - 1.0).mean())
    print(
        f"  {what:<20} {len(truth):3} networks: mean {found.mean:6.2%}  p90 {found.p90:6.2%}  worst {found.worst:6.2%}"
        f"  bias {bias:+6.2%}  5 %: {within['within_5']:4.0%}  10 %: {within['within_10']:4.0%}  tau {found.tau:.3f}"
    )
    return {"predictor": what.strip(), "networks": len(truth), "bias": bias} | vars(found) | within


if __name__ == "__main__":
    main()

"""How far the lookup model's latency is from the network's own, on networks that its calibration has never seen.

A table is built and calibrated as `fitwright profile` does it; then other networks of random width are estimated, their
missing nodes measured on demand as in a search, and timed as a whole. Printed, for each precision: mean, p90 and worst
relative error, the share within 5 and 10 %, Kendall's tau; against networks at the clock and the memory of the table
(hwmodels/basis.py), and as they were measured; by family, of those alone that nothing disturbed, and with factors
fitted on the other families; how far the same networks are from themselves when another process measures them; with
MACs, parameters and a roofline fitted to the very networks that they predict beside it.

    python -m benchmarks.table_error                            every table of the documentation, about 12 minutes
    python -m benchmarks.table_error --networks 4 --batch 1 --threads 1 --precision fp32 --json errors.json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.table_report import Tried, report
from hwmodels.base import Measurement
from hwmodels.calibrating import Sample
from hwmodels.device import Device
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.lookup import LookupModel, open_lookup
from hwmodels.networks.catalogue import FAMILIES
from hwmodels.networks.int8 import int8
from hwmodels.profile import TOGETHER, Case, Found, calibration_set, network_keys, profile
from hwmodels.profilers.onnxruntime import OnnxRuntimeProfiler
from hwmodels.settings import with_settings
from hwmodels.sums import whole_s
from hwmodels.workload import Workload

UNSEEN = 1000
"""Seeds from here on are none of the calibration's; another `--seed` gives networks that nothing was ever tuned on."""


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
    print(f"  of ten repeat within {model.table.noise_floor:.2%}; a call costs", end=" ")
    print(f"{1e6 * model.table.overhead.latency_s:.1f} us; nearest caches hold {calibration.basis.near_mb:g} MB")
    print(f"  by its own cross-validation: mean {calibration.mean:.2%}, worst {calibration.worst:.2%}, margin", end=" ")
    print(f"{calibration.margin:.2%}, families left out {calibration.family_mean:.2%}")
    samples = seen(model, device, arguments)
    found = []
    for precision in arguments.precision or ["fp32", "int8"]:
        tried = unseen(model, device, precision, arguments)
        rows = report(calibration, samples, tried, device.batch, arguments.seed)
        found += [{"device": device.id, "precision": precision, "build_s": seconds} | row for row in rows]
        found.append({"device": device.id, "precision": precision, "tried": [plain(t) for t in tried]})
    found.append({"device": device.id, "calibrated_on": [asdict(sample) for sample in samples]})
    profiler.close()
    return found


def plain(tried: Tried) -> dict[str, Any]:
    """One network as JSON, for whoever wants to fit it otherwise."""
    measured = {"measured": asdict(tried.measured), "again_s": tried.again_s, "rows_noise": tried.rows_noise}
    return asdict(tried.sample) | measured


def progress(phase: str, done: int, total: int) -> None:
    """One line on standard error that says how far it is."""
    print(f"\r  {phase}: {done} of {total}   ", end="\n" if done == total else "", file=sys.stderr, flush=True)


def seen(model: LookupModel, device: Device, arguments: argparse.Namespace) -> list[Sample]:
    """The calibration's networks once more, from the table."""
    kept = model.calibration
    assert kept is not None
    cases = list(calibration_set(device, kept.networks, families=arguments.family))
    rows = [model.table.rows[key] for key in network_keys(cases, device)]
    return [
        Found(case.family, model.look_up(Workload((), program=case.program), device), row).sample(model, kept.basis)
        for case, row in zip(cases, rows)
    ]


def unseen(model: LookupModel, device: Device, precision: str, arguments: argparse.Namespace) -> list[Tried]:
    """Networks that were never fitted to, as the table has them and as measured; groups of them by turns."""
    cases = []
    for family in arguments.family or FAMILIES:
        programs = [FAMILIES[family](arguments.seed + n) for n in range(arguments.networks)]
        cases += [Case(family, precision, int8(p) if precision == "int8" else p) for p in programs]
    nodes = [model.look_up(Workload((), program=case.program), device) for case in cases]
    first = whole(model, device, cases)
    model.profiler.close()
    found = []
    for case, its, measured, again in zip(cases, nodes, first, whole(model, device, cases)):
        sample = Found(case.family, its, measured).sample(model, model.basis)
        again_s = whole_s(again, its, model.basis)
        found.append(Tried(case, sample, measured, rows_noise(model, case, device), again_s))
    start_s = time.perf_counter()
    for case in cases:
        model.estimate(Workload((), program=case.program), device)
    rate = len(cases) / (time.perf_counter() - start_s)
    print(f"  {precision}: {rate:.0f} recipes costed per second, every node known")
    return found


def whole(model: LookupModel, device: Device, cases: Sequence[Case]) -> list[Measurement]:
    """Networks measured as a whole, groups of them interleaved."""
    groups = [cases[start : start + TOGETHER] for start in range(0, len(cases), TOGETHER)]
    return [one for group in groups for one in model.profiler.measure([case.program for case in group], device)]


def rows_noise(model: LookupModel, case: Case, device: Device) -> float:
    """How far the rows of a network disagree with themselves, without the margin."""
    kept, model.calibration = model.calibration, None
    if kept is not None:
        model.calibration = replace(kept, margin=0.0)
    noise = model.estimate(Workload((), program=case.program), device)["latency_s"].error
    model.calibration = kept
    return noise


if __name__ == "__main__":
    main()

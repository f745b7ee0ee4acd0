"""How far the sum of a runtime's nodes is from the whole network, under every runtime that tells its nodes.

Networks of random width in every family, in float32 and, where the device has it, with int8 layers. Each is looked up
first (nodes measured on demand, as in a search), then timed as a whole, six interleaved. Printed, for each device and
precision: mean, nine-of-ten and worst relative error, the share within 5 and 10 %, Kendall's tau; of the raw sum, and
after one non-negative factor per type of node, fitted on all networks of the device but the one predicted. Then the
types of nodes that weigh most, with their factors.

    python -m benchmarks.runtimes_error --device local-openvino --device local-litert --networks 24
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.error_lines import line
from hwmodels.calibrating import Sample, fit
from hwmodels.catalogue import device as device_of
from hwmodels.device import Device
from hwmodels.lookup import open_lookup
from hwmodels.networks.catalogue import FAMILIES
from hwmodels.parts import BEYOND
from hwmodels.profile import TOGETHER, Case, Found, calibrated, calibration_set, runnable
from hwmodels.profilers.catalogue import open_profiler
from hwmodels.profilers.runtime_node import NodeProfiler

Array = NDArray[np.float64]

DEVICES = ("local-openvino", "local-openvino-bf16", "local-litert")
UNSEEN = 1000
"""Seeds from here on are none of a table's own calibration."""


@dataclass(frozen=True)
class Tried:
    """One network: its family and precision, its parts in seconds and as a whole, and the noise of both."""

    case: Case
    sample: Sample
    noise: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", action="append", help=f"default: {', '.join(DEVICES)}")
    parser.add_argument("--networks", type=int, default=24, help="networks per precision (default 24)")
    parser.add_argument("--family", choices=list(FAMILIES), action="append", help="default: all")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    found = []
    for name in arguments.device or DEVICES:
        device = device_of(name)
        found += report(device, tried(device, arguments.networks, arguments.family))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


def tried(device: Device, networks: int, families: Sequence[str] | None) -> list[Tried]:
    """Every network looked up and measured, groups of them by turns."""
    profiler = cast(NodeProfiler, open_profiler(device))
    model = open_lookup(device, profiler)
    precisions = len([name for name in ("fp32", "int8") if name in device.precisions])
    cases = list(calibration_set(device, networks * precisions, UNSEEN, families))
    known = runnable(model, device, cases)
    found = []
    for start in range(0, len(known), TOGETHER):
        group = known[start : start + TOGETHER]
        times = profiler.measure([case.program for case, _ in group], device)
        found += [Found(case.family, nodes, time) for (case, nodes), time in zip(group, times)]
    basis = calibrated(model, device, found).basis
    print(f"\n{device.id}: {len(found)} networks, {len(model.table.rows)} rows, of which nine of ten repeat within")
    print(f"  {model.table.noise_floor:.2%}; a call costs {1e6 * model.table.overhead.latency_s:.1f} us", end="; ")
    print(f"nearest caches hold {basis.near_mb:g} MB")
    profiler.close()
    return [Tried(case, f.sample(model, basis), f.measured.disagreement) for (case, _), f in zip(known, found)]


def report(device: Device, networks: Sequence[Tried]) -> list[dict[str, Any]]:
    """Prints and returns the errors of one device."""
    samples = [one.sample for one in networks]
    truth = np.array([sample.truth_s for sample in samples])
    raw = np.array([sum(s for kind, s in sample.parts.items() if not kind.startswith(BEYOND)) for sample in samples])
    unseen = np.array([fit([*samples[:n], *samples[n + 1 :]]).latency_s(samples[n].parts) for n in range(len(samples))])
    found = []
    for precision in dict.fromkeys(one.case.precision for one in networks):
        here = np.array([one.case.precision == precision for one in networks])
        noise = float(np.median([one.noise for one in networks if one.case.precision == precision]))
        times = 1e6 * truth[here]
        print(f"  {precision}: {here.sum()} networks of {times.min():.0f} to {times.max():.0f} us, noise {noise:.2%}")
        for way, predicted in (("raw sum", raw), ("factors, leave one out", unseen)):
            found.append({"device": device.id, "precision": precision, "way": way, "noise": noise})
            found[-1] |= line(way, predicted[here], truth[here])
        for family in dict.fromkeys(sample.family for sample in samples):
            of = here & np.array([sample.family == family for sample in samples])
            found.append({"device": device.id, "precision": precision, "family": family})
            found[-1] |= line(f"  {family}, leave one out", unseen[of], truth[of])
    weights(samples)
    return found


def weights(samples: Sequence[Sample]) -> None:
    """The types of nodes by their share of the networks' time, with their factors: far from 1 is where sums are off."""
    calibration = fit(samples)
    kinds = {kind for sample in samples for kind in sample.parts}
    shares = {kind: float(np.mean([s.parts.get(kind, 0.0) / s.truth_s for s in samples])) for kind in kinds}
    for kind in sorted(shares, key=lambda kind: -shares[kind])[:10]:
        print(f"    {kind:<44} {shares[kind]:6.1%} of the time, factor {calibration.factor(kind):.2f}")


if __name__ == "__main__":
    main()

"""Whether this machine lets several threads be timed: what each core does while the others work too.

A rented machine's processors may be halves of one core, or share it with a neighbour. The gauge's work runs on every
core at once, each in a process of its own, for some seconds. Printed: the share of moments of 0.2 ms in which a
core is undisturbed while it works alone, and while all work; in which all are; how long such moments last; how much
slower a core is when all work. A table for several threads repeats to the extent that all cores are undisturbed.

    python -m benchmarks.cores --seconds 10 --json cores.json
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.core_moments import MOMENT_S, moments

SLACK = 0.08
"""What a core may be later than at its best in an undisturbed moment."""

Array = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run (default 10)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    apart = [together([core], arguments.seconds)[0] for core in cores]
    found = figures(apart, together(cores, arguments.seconds))
    for name, value in found.items():
        print(f"{name:<44} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


def together(cores: Sequence[int], seconds: float) -> list[Array]:
    """Of each core, seconds that the work took in each moment; all begin and end at the same time."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    context = multiprocessing.get_context("spawn")
    start = time.time() + 3.0
    with context.Pool(len(cores)) as pool:
        return pool.starmap(moments, [(core, start, seconds) for core in cores], chunksize=1)


def figures(apart: Sequence[Array], at_once: Sequence[Array]) -> dict[str, Any]:
    """What the moments say."""
    best = [float(np.nanquantile(np.concatenate(both), 0.001)) for both in zip(apart, at_once)]
    alone = [times <= (1.0 + SLACK) * least for times, least in zip(apart, best)]
    each = [times <= (1.0 + SLACK) * least for times, least in zip(at_once, best)]
    every = np.logical_and.reduce(each)
    runs = [1e3 * MOMENT_S * len(list(group)) for quiet, group in groupby(every.tolist()) if quiet]
    slower = [float(np.nanmedian(times) / least) for times, least in zip(at_once, best)]
    return {
        "undisturbed while it works alone, per core": [round(float(quiet.mean()), 3) for quiet in alone],
        "undisturbed while all work, per core": [round(float(quiet.mean()), 3) for quiet in each],
        "all undisturbed": round(float(every.mean()), 3),
        "such a moment lasts, ms (median)": round(float(np.median(runs)), 2) if runs else 0.0,
        "times slower while all work, per core": [round(value, 2) for value in slower],
    }


if __name__ == "__main__":
    main()

"""What it costs to take a network in: capture, coupling and verification against torch.export alone.

Time and peak memory, each measured in a process of its own, for graphs of the size of ResNet-50, ViT-B/16 and
BERT-base with random weights. Bounds: coupling and verification at most twice the export; memory at most four times
the weights above what the process held before (torch itself included there).
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from typing import Any

import torch

from benchmarks.big_networks import NETWORKS

HEADER = "network    export s  capture s  couple s  verify s  (couple + verify) / export  groups  peak / weights"


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def export_only(name: str) -> dict[str, Any]:
    """Seconds and memory of torch.export alone, as capture calls it."""
    make, example = NETWORKS[name]
    torch.manual_seed(0)
    model, x = make().train(), torch.cat([example()] * 2)
    before, start = _peak_bytes(), time.perf_counter()
    torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim.AUTO},), strict=False).module()
    return {"export_s": time.perf_counter() - start, "peak_bytes": _peak_bytes() - before}


def whole(name: str) -> dict[str, Any]:
    """Seconds of each step and the memory of all of them."""
    from methods.graph.coupling.trace import couple
    from methods.graph.coupling.verify import verify
    from methods.graph.intake.capture import capture

    make, example = NETWORKS[name]
    torch.manual_seed(0)
    model = make()
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    before, times = _peak_bytes(), [time.perf_counter()]
    graph = capture(model, example())
    times.append(time.perf_counter())
    coupling = couple(graph)
    times.append(time.perf_counter())
    errors = verify(graph, coupling)
    times.append(time.perf_counter())
    steps = {step: b - a for step, a, b in zip(("capture_s", "couple_s", "verify_s"), times, times[1:])}
    return steps | {
        "groups": len(coupling.groups),
        "error": max(errors.values()),
        "weights_bytes": weights,
        "peak_bytes": _peak_bytes() - before,
    }


def _measure(step: str, name: str) -> dict[str, Any]:
    code = "import json, torch; torch.set_num_threads(1); from benchmarks import capture_cost as c"
    code += f"; print(json.dumps(c.{step}({name!r})))"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


def main() -> None:
    """Prints the table; exits with 1 where a network's coupling fails its check."""
    print(HEADER)
    failed = False
    for name in NETWORKS:
        alone, own = _measure("export_only", name), _measure("whole", name)
        later = own["couple_s"] + own["verify_s"]
        failed |= own["error"] > 1e-4
        print(
            f"{name:10} {alone['export_s']:8.1f}  {own['capture_s']:9.1f}  {own['couple_s']:8.2f}"
            f"  {own['verify_s']:8.2f}"
            f"  {later / alone['export_s']:27.2f}  {own['groups']:6}  {own['peak_bytes'] / own['weights_bytes']:.1f}"
            f" (export alone {alone['peak_bytes'] / own['weights_bytes']:.1f})",
            flush=True,
        )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

"""Holds a Graph that was read against the file it was read from: onnxruntime's numbers, and samples one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from methods.graph.ir import Graph, InvalidGraph, first_line
from methods.graph.nodes_json import BadFile

TOLERANCE = 1e-3
"""Difference from onnxruntime that is allowed, relative to the largest output: fp32 sums in another order."""

CODES_TOLERANCE = 0.1
"""The same where values are rounded to codes: a sum next to a boundary may fall on its other side."""

FLOATS = {"tensor(float16)": np.float16, "tensor(double)": np.float64}


def compare(graph: Graph, data: bytes, fixed_batch: int | None) -> float:
    """The largest relative difference. Raises BadFile where the Graph is not what the file says."""
    try:
        graph.check()
    except InvalidGraph as error:
        raise BadFile(f"{error}. Export the model with a free batch axis") from error
    _one_by_one(graph)
    worst = 0.0
    for batch in (1, 3) if fixed_batch is None else (fixed_batch,):
        example = graph.example(batch, seed=batch)
        with torch.no_grad():
            expected = _session_run(data, example)
            worst = max(worst, difference(graph(*example), expected))
    limit = CODES_TOLERANCE if graph.quantised else TOLERANCE
    if not worst <= limit:
        raise BadFile(f"the network that was read differs from onnxruntime's by {worst:.3g} of its largest output")
    return worst


def difference(found: tuple[Tensor, ...], expected: list[Any]) -> float:
    """The largest difference relative to the largest expected number, over all outputs."""
    worst = 0.0
    for have, want in zip(found, expected, strict=True):
        if tuple(have.shape) != want.shape:
            return float("inf")
        want = want.astype(np.float64)
        finite = np.abs(want[np.isfinite(want)])
        scale = float(finite.max()) if finite.size else 1.0
        with np.errstate(invalid="ignore"):
            gap = np.abs(have.numpy().astype(np.float64) - want)
        same = (have.numpy() == want) | (np.isnan(want) & np.isnan(have.numpy()))
        gap[same] = 0.0
        worst = max(worst, float(np.nan_to_num(gap, nan=np.inf).max(initial=0.0)) / max(scale, 1e-6))
    return worst


def _session_run(data: bytes, example: tuple[Tensor, ...]) -> list[Any]:
    from hwmodels.onnx_runtime import session  # heavy, and only needed here

    try:
        opened = session(data, optimise=False)
        feed = {
            entry.name: x.numpy().astype(FLOATS.get(entry.type, x.numpy().dtype))
            for entry, x in zip(opened.get_inputs(), example, strict=True)
        }
        found: list[Any] = opened.run(None, feed)
    except Exception as error:
        raise BadFile(f"onnxruntime can't run it: {first_line(error)}") from error
    return found


def _one_by_one(graph: Graph) -> None:
    """Every sample of a batch must give what it gives alone: this is where a misplaced batch axis shows."""
    example = graph.example(3, seed=7)
    with torch.no_grad():
        together = graph(*example)
        alone = [graph(*(x[i : i + 1] for x in example)) for i in range(3)]
    rows = [torch.cat([outputs[k] for outputs in alone]).numpy() for k in range(len(together))]
    if not difference(together, rows) <= (CODES_TOLERANCE if graph.quantised else TOLERANCE):
        raise BadFile(
            "samples of a batch change each other's results, so the batch is not the first axis throughout. Export "
            "the model with a free batch axis"
        )

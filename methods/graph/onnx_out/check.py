"""Holds an exported file against its graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from methods.graph.ir import Graph
from methods.graph.onnx_out.types import ExportError


def check_export(graph: Graph, program: bytes, seed: int = 0) -> float:
    """Largest difference between onnxruntime and the graph on random inputs, relative to the largest output.

    Raises:
        ExportError: as `differences`.
    """
    return max(differences(graph, program, seed).values(), default=0.0)


def differences(graph: Graph, program: bytes, seed: int = 0) -> dict[str, float]:
    """Output -> largest difference from the graph at batch sizes 1 and 3, relative to the largest entry.

    Whole numbers and truth values count as the share that differs. Not-a-number and infinity must stand in the same
    places.

    Raises:
        ExportError: the runtime refuses the file, or an output has another type or shape, or is not finite where
            the graph's is; the message names the first such output.
    """
    session = _session(program)
    worst = dict.fromkeys(graph.output_names, 0.0)
    for batch in (1, 3):
        example = graph.example(batch, seed)
        with torch.no_grad():
            expected = graph(*example)
        for name, want, got in zip(graph.output_names, expected, _run(session, example), strict=True):
            worst[name] = max(worst[name], difference(name, _array(want), got))
    return worst


def _run(session: Any, example: tuple[Tensor, ...]) -> list[NDArray[Any]]:
    feeds = {i.name: _array(x) for i, x in zip(session.get_inputs(), example, strict=True)}
    try:
        found: list[NDArray[Any]] = session.run(None, feeds)
    except Exception as error:
        raise ExportError(f"onnxruntime can't run the file: {' '.join(str(error).split())[:300]}") from error
    return found


def _session(program: bytes) -> Any:
    from hwmodels.onnx_runtime import session  # heavy, and only needed to check

    try:
        return session(program)
    except Exception as error:
        raise ExportError(f"onnxruntime refuses the file: {' '.join(str(error).split())[:300]}") from error


def _array(value: Tensor) -> NDArray[Any]:
    found: NDArray[Any] = value.detach().numpy()
    return found


def difference(name: str, want: NDArray[Any], got: NDArray[Any]) -> float:
    """How far an output lies from what it should be, relative to the largest. Raises ExportError as `check_export`."""
    if want.dtype != got.dtype or want.shape != got.shape:
        kinds = [f"{x.dtype}{list(x.shape)}" for x in (got, want)]
        raise ExportError(f"output {name} is {kinds[0]} in onnxruntime and {kinds[1]} in the graph")
    if not want.size:
        return 0.0
    if want.dtype.kind not in "f":
        return float((want != got).mean())
    finite = np.isfinite(want)
    if not np.array_equal(want[~finite], got[~finite], equal_nan=True) or not np.isfinite(got[finite]).all():
        raise ExportError(f"output {name} is not finite in other places in onnxruntime than in the graph")
    if not finite.any():
        return 0.0
    exact, found = want[finite].astype(np.float64), got[finite].astype(np.float64)
    return float(np.abs(exact - found).max()) / (float(np.abs(exact).max()) or 1.0)

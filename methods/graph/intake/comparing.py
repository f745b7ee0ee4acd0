"""Holds a captured graph against its model: nobody has to trust the capture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.graph.intake.exporting import ADVICE
from methods.graph.intake.names import CaptureError
from methods.graph.ir import Graph, first_line

TOLERANCES = {torch.float16: 2e-2, torch.bfloat16: 5e-2}
TOLERANCE = 1e-4
"""Relative difference allowed between the model and its graph: sums in another order."""


def compare(graph: Graph, model: nn.Module, example: tuple[Tensor, ...]) -> None:
    """Runs both, in evaluation mode, at batch sizes 1 and 3; `model` takes the graph's inputs, gives a tuple.

    Raises CaptureError where they differ or an output has no batch axis.
    """
    rests = []
    for batch in (1, 3):
        sample = _sample(graph, example, batch)
        with torch.no_grad():
            expected = _run_model(model, sample, batch)
            actual = _run_graph(graph, sample, batch)
        if len(expected) != len(actual):
            raise CaptureError(f"the model gives {len(expected)} tensors, its graph {len(actual)}")
        for name, want, got in zip(graph.output_names, expected, actual, strict=True):
            _check(name, want.cpu(), got, batch)
        rests.append([tuple(x.shape[1:]) for x in expected])
    for name, one, three in zip(graph.output_names, *rests, strict=True):
        if one != three:
            raise CaptureError(
                f"output {name} has the sizes {list(one)} behind the batch axis for one sample and {list(three)} for "
                "three: only the first axis may follow the batch size. Name the outputs to keep in `outputs`"
            )


def _sample(graph: Graph, example: tuple[Tensor, ...], batch: int) -> tuple[Tensor, ...]:
    """Random numbers where any will do; the example's own rows for masks and the like."""
    free = graph.example(batch, seed=batch)
    return tuple(
        random
        if given.is_floating_point() and bool(torch.isfinite(given).all())
        else torch.cat([given[:1]] * batch).cpu()
        for given, random in zip(example, free, strict=True)
    )


def _run_model(model: nn.Module, sample: tuple[Tensor, ...], batch: int) -> list[Tensor]:
    device = next((p.device for p in (*model.parameters(), *model.buffers())), torch.device("cpu"))
    try:
        return list(model(*(x.to(device, copy=True) for x in sample)))
    except CaptureError:
        raise
    except Exception as error:
        raise CaptureError(f"the model does not run at batch size {batch}: {first_line(error)}. {ADVICE}") from error


def _run_graph(graph: Graph, sample: tuple[Tensor, ...], batch: int) -> tuple[Tensor, ...]:
    try:
        return graph(*sample)
    except Exception as error:
        raise CaptureError(
            f"the model's batch size is fixed: its graph does not run at batch size {batch} ({first_line(error)}). "
            f"{ADVICE}"
        ) from error


def _check(name: str, want: Tensor, got: Tensor, batch: int) -> None:
    if want.shape[:1] != (batch,):
        raise CaptureError(
            f"output {name} has the shape {list(want.shape)} for {batch} sample{'s' * (batch > 1)}: every output needs "
            "the batch as its first axis. Return it so, or name the outputs to keep in `outputs`"
        )
    if want.shape != got.shape:
        raise CaptureError(
            f"the model's batch size is fixed: at batch size {batch} the model gives {tuple(want.shape)} and "
            f"its graph {tuple(got.shape)}. {ADVICE}"
        )
    if not want.is_floating_point():
        same = bool((want == got).float().mean() > 1 - 1e-3) if want.numel() else True
        difference = float((want.double() - got.double()).abs().max()) if want.numel() else 0.0
    else:
        tolerance = TOLERANCES.get(want.dtype, TOLERANCE)
        finite = want[torch.isfinite(want)]
        scale = float(finite.abs().max().clamp_min(1e-6)) if finite.numel() else 1.0
        same = torch.allclose(want, got, atol=tolerance * scale, rtol=tolerance, equal_nan=True)
        difference = float((want - got).abs().nan_to_num().max()) if want.numel() else 0.0
    if not same:
        raise CaptureError(
            f"the captured graph computes something else than the model (output {name}, largest difference "
            f"{difference:.3g}); random numbers in evaluation mode, or values kept between calls, are the usual cause"
        )

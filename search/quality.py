"""How good a network's outputs are: accuracy or fit with labels, agreement with the original without, a smooth loss.

Labels are those of `methods.losses`: classes of samples, tokens or pixels, or values to reach.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from methods.base import Data, MethodError
from methods.losses import class_axis, label_loss, like, soft_distance
from search.datasets.dataset import DataError
from search.problem import SearchError

Run = Callable[..., Tensor | tuple[Tensor, ...]]
Z = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""


class BrokenOutputs(SearchError):
    """A network gives outputs that can't be scored: NaN, infinite, or of another shape than the original's."""


def evaluate_quality(run: Run, data: Data, teacher_outputs: Tensor | None, batch: int = 250) -> dict[str, float]:
    """Runs a network over `data` and scores it, as `score` says."""
    return score(outputs_of(run, data, batch), data, teacher_outputs)


def outputs_of(run: Run, data: Data, batch: int = 250) -> Tensor:
    """The network's (first) output for every sample, `[n, ...]`, without gradients."""
    with torch.no_grad():
        found = [run(*(x[i : i + batch] for x in data.inputs)) for i in range(0, len(data), batch)]
    return torch.cat([out if isinstance(out, Tensor) else out[0] for out in found])


def score(outputs: Tensor, data: Data, teacher_outputs: Tensor | None) -> dict[str, float]:
    """Quality of outputs `[n, ...]`; higher `score` is better.

    With labels, `accuracy` is the share of samples whose largest score is at the label; where every token or pixel has
    a label, the share of those in a sample, averaged. For float labels it is no accuracy but a `fit`: `fits`, averaged,
    at least 0. Without labels, `agreement` is the share where original and network name the same class, for outputs
    `[n, classes]`; for any other output (a sequence, an image, one number) how it `fits` the original's. `low` and
    `high` bound `score` with 95 % confidence (Wilson 1927 for shares, normal for averages). `loss` is the distance to
    the original's outputs, or the loss against the labels where those aren't given. `samples` says how many.

    Raises DataError for labels that the outputs have no place for; BrokenOutputs for outputs that can't be scored.
    """
    _check(outputs, data, teacher_outputs)
    loss = None if teacher_outputs is None else distance(outputs, teacher_outputs, data.labels)
    if data.labels is not None:
        return _labelled(outputs, data.labels, loss)
    if teacher_outputs is None or loss is None:
        raise DataError("without labels the quality is the agreement with the original: give the original's outputs")
    if class_axis(outputs) is not None:
        return _share("agreement", int((outputs.argmax(dim=1) == teacher_outputs.argmax(dim=1)).sum()), len(data), loss)
    return _average("agreement", fits(outputs, teacher_outputs), loss)


def distance(outputs: Tensor, teacher_outputs: Tensor, labels: Tensor | None = None) -> float:
    """How far outputs are from the original's, 0 for equal ones; smooth where accuracy jumps.

    For class scores (`[n, classes]`, or whatever axis whole-numbered labels point at) the Kullback-Leibler divergence
    of their softmax from the original's in nats, averaged over samples, tokens or pixels that count (as in
    distillation, Hinton 2015, arXiv:1503.02531); otherwise the error relative to the original's spread (1 - `fits`),
    averaged.
    """
    axis = class_axis(outputs, labels)
    if axis is None:
        return float((1 - fits(outputs, teacher_outputs)).mean())
    rows, wanted = (x.double().movedim(axis, -1) for x in (outputs, teacher_outputs))
    if labels is not None and bool((labels >= 0).any()):
        rows, wanted = rows[labels >= 0], wanted[labels >= 0]
    return max(0.0, float(soft_distance(rows, wanted, 1.0, -1)))


def fits(outputs: Tensor, wanted: Tensor) -> Tensor:
    """1 - ||output - wanted|| per sample, `[n]`, in units of how far the wanted ones lie from their mean, on average: 1
    is exact, 0 no better than always saying the mean (the relative absolute error of regression)."""
    found, aim = (x.double().reshape(len(x), -1) for x in (outputs, like(outputs, wanted)))
    mean = aim.mean(dim=0)
    spread = torch.linalg.vector_norm(aim - mean, dim=1).mean()
    least = 1e-6 * float(torch.linalg.vector_norm(mean)) + 1e-12
    shares: Tensor = 1 - torch.linalg.vector_norm(found - aim, dim=1) / spread.clamp_min(least)
    return shares


def wilson(hits: int, samples: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927, Probable inference, the law of succession, and statistical inference)."""
    share, z2n = hits / samples, Z * Z / samples
    centre = (share + z2n / 2) / (1 + z2n)
    half = Z / (1 + z2n) * math.sqrt(share * (1 - share) / samples + z2n / (4 * samples))
    return max(0.0, centre - half), min(1.0, centre + half)


def _labelled(outputs: Tensor, labels: Tensor, loss: float | None) -> dict[str, float]:
    loss = float(label_loss(outputs.float(), labels)) if loss is None else loss
    axis = class_axis(outputs, labels)
    if axis is None:
        return _average("fit", fits(outputs, labels), loss)
    hits, known = (outputs.argmax(dim=axis) == labels), labels >= 0
    if labels.ndim == 1 and bool(known.all()):
        return _share("accuracy", int(hits.sum()), len(labels), loss)
    counts = known.reshape(len(labels), -1).sum(dim=1)
    right = (hits & known).reshape(len(labels), -1).sum(dim=1)
    return _average("accuracy", right[counts > 0].double() / counts[counts > 0], loss)


def _share(name: str, hits: int, samples: int, loss: float) -> dict[str, float]:
    low, high = wilson(hits, samples)
    return {"score": hits / samples, name: hits / samples, "loss": loss, "samples": samples, "low": low, "high": high}


def _average(name: str, values: Tensor, loss: float) -> dict[str, float]:
    mean, n = float(values.mean()), len(values)
    half = Z * float(values.std()) / math.sqrt(n) if n > 1 else 1.0
    mean, low, high = max(0.0, mean), min(1.0, max(0.0, mean - half)), min(1.0, max(0.0, mean + half))
    return {"score": mean, name: mean, "loss": loss, "samples": n, "low": low, "high": high}


def _check(outputs: Tensor, data: Data, teacher_outputs: Tensor | None) -> None:
    if len(outputs) != len(data):
        raise BrokenOutputs(f"the network gives {len(outputs)} outputs for {len(data)} samples")
    bad = int((~torch.isfinite(outputs.reshape(len(outputs), -1)).all(dim=1)).sum())
    if bad:
        raise BrokenOutputs(f"the network gives NaN or infinite outputs for {bad} of {len(data)} samples")
    if teacher_outputs is not None and outputs.shape != teacher_outputs.shape:
        raise BrokenOutputs(f"outputs are {list(outputs.shape)} but the original's are {list(teacher_outputs.shape)}")
    if data.labels is not None:
        _check_labels(outputs, data.labels)


def _check_labels(outputs: Tensor, labels: Tensor) -> None:
    try:
        axis = class_axis(outputs, labels)
        if axis is None:
            like(outputs, labels)
    except MethodError as error:
        raise DataError(
            f"there are labels, {list(labels.shape[1:])} for one sample, but the model's output for one sample is "
            f"{list(outputs.shape[1:])}: classes take a whole number for each row of scores, values take floats of the "
            "output's shape; or leave the labels out to score agreement with the original model"
        ) from error
    if not bool(torch.isfinite(labels).all() if axis is None else (labels >= 0).any()):
        raise DataError("the labels hold NaN or infinite values, or none that counts; repair them or leave them out")
    if axis is not None and int(labels.max()) >= outputs.shape[axis]:
        raise DataError(
            f"labels go up to {int(labels.max())} but the model tells {outputs.shape[axis]} classes apart, "
            f"numbered 0 to {outputs.shape[axis] - 1}"
        )

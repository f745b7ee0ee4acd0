"""How good a network's outputs are: accuracy with labels, agreement with the original without, and a smooth loss."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.base import Data
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

    With labels, `accuracy` is the share of samples whose largest output is at the label. Without, `agreement` is the
    share where original and network name the same class, for outputs `[n, classes]`; for any other output (a sequence,
    an image, one number) it is 1 - the relative error of a sample, at least 0, averaged. `low` and `high` bound
    `score` with 95 % confidence (Wilson 1927 for shares, normal for averages). `loss` is the distance to the
    original's outputs, or cross-entropy with the labels where those aren't given. `samples` says how many.

    Raises DataError for labels that the outputs have no place for; BrokenOutputs for outputs that can't be scored.
    """
    _check(outputs, data, teacher_outputs)
    loss = None if teacher_outputs is None else distance(outputs, teacher_outputs)
    if data.labels is not None:
        hits = int((outputs.argmax(dim=1) == data.labels).sum())
        loss = float(F.cross_entropy(outputs.float(), data.labels)) if loss is None else loss
        return _share("accuracy", hits, len(data), loss)
    if teacher_outputs is None or loss is None:
        raise DataError("without labels the quality is the agreement with the original: give the original's outputs")
    if _is_classes(outputs):
        return _share("agreement", int((outputs.argmax(dim=1) == teacher_outputs.argmax(dim=1)).sum()), len(data), loss)
    return _average("agreement", (1 - relative_errors(outputs, teacher_outputs)).clamp(min=0), loss)


def distance(outputs: Tensor, teacher_outputs: Tensor) -> float:
    """How far outputs are from the original's, 0 for equal ones; smooth where accuracy jumps.

    For `[n, classes]` the Kullback-Leibler divergence of their softmax from the original's in nats, averaged over
    samples (as in distillation, Hinton 2015, arXiv:1503.02531); otherwise the relative error, averaged.
    """
    if not _is_classes(outputs):
        return float(relative_errors(outputs, teacher_outputs).mean())
    student, teacher = (F.log_softmax(x.double(), dim=1) for x in (outputs, teacher_outputs))
    return max(0.0, float(F.kl_div(student, teacher, reduction="batchmean", log_target=True)))


def relative_errors(outputs: Tensor, teacher_outputs: Tensor) -> Tensor:
    """||output - original|| / ||original|| per sample, `[n]`.

    The divisor is at least a hundredth of its mean, so that one silent sample doesn't outweigh all others.
    """
    student, teacher = (x.double().reshape(len(x), -1) for x in (outputs, teacher_outputs))
    norms = torch.linalg.vector_norm(teacher, dim=1)
    floor = max(1e-12, float(norms.mean()) / 100)
    errors: Tensor = torch.linalg.vector_norm(student - teacher, dim=1) / norms.clamp(min=floor)
    return errors


def wilson(hits: int, samples: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927, Probable inference, the law of succession, and statistical inference)."""
    share, z2n = hits / samples, Z * Z / samples
    centre = (share + z2n / 2) / (1 + z2n)
    half = Z / (1 + z2n) * math.sqrt(share * (1 - share) / samples + z2n / (4 * samples))
    return max(0.0, centre - half), min(1.0, centre + half)


def _is_classes(outputs: Tensor) -> bool:
    return outputs.ndim == 2 and outputs.shape[1] > 1


def _share(name: str, hits: int, samples: int, loss: float) -> dict[str, float]:
    low, high = wilson(hits, samples)
    return {"score": hits / samples, name: hits / samples, "loss": loss, "samples": samples, "low": low, "high": high}


def _average(name: str, values: Tensor, loss: float) -> dict[str, float]:
    mean, n = float(values.mean()), len(values)
    half = Z * float(values.std()) / math.sqrt(n) if n > 1 else 1.0
    low, high = max(0.0, mean - half), min(1.0, mean + half)
    return {"score": mean, name: mean, "loss": loss, "samples": n, "low": low, "high": high}


def _check(outputs: Tensor, data: Data, teacher_outputs: Tensor | None) -> None:
    if len(outputs) != len(data):
        raise BrokenOutputs(f"the network gives {len(outputs)} outputs for {len(data)} samples")
    bad = int((~torch.isfinite(outputs.reshape(len(outputs), -1)).all(dim=1)).sum())
    if bad:
        raise BrokenOutputs(f"the network gives NaN or infinite outputs for {bad} of {len(data)} samples")
    if teacher_outputs is not None and outputs.shape != teacher_outputs.shape:
        raise BrokenOutputs(f"outputs are {list(outputs.shape)} but the original's are {list(teacher_outputs.shape)}")
    if data.labels is None:
        return
    if not _is_classes(outputs):
        raise DataError(
            f"there are labels, but the model's output for one sample is {list(outputs.shape[1:])}, not one number per "
            "class; leave the labels out to score agreement with the original model"
        )
    if int(data.labels.max()) >= outputs.shape[1]:
        raise DataError(
            f"labels go up to {int(data.labels.max())} but the model tells {outputs.shape[1]} classes apart, "
            f"numbered 0 to {outputs.shape[1] - 1}"
        )

"""What a network is asked for: its labels where there are any, its own or a teacher's answers where there are none.

Labels are whole numbers (classes: `[n]` for outputs `[n, classes]`, `[n, tokens]` for `[n, tokens, classes]`,
`[n, h, w]` for `[n, classes, h, w]`; a negative one means "not counted") or floats (values to reach, of the output's
shape). Only the first output has labels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from methods.base import MethodError

Outputs = tuple[Tensor, ...]
IGNORED = -100


def class_axis(output: Tensor, labels: Tensor | None = None) -> int | None:
    """The axis of an output that holds class scores; None where the output is values.

    Whole-numbered labels say which axis it is; where both readings fit, three axes are `[n, tokens, classes]` and more
    are `[n, classes, ...]`. Without labels only `[n, classes]` is taken for scores. Raises MethodError for labels that
    fit no axis.
    """
    if labels is None:
        return 1 if output.dim() == 2 and output.shape[1] > 1 else None
    if labels.is_floating_point():
        return None
    shape, wanted = tuple(output.shape), tuple(labels.shape)
    fitting = [axis for axis in range(1, len(shape)) if (*shape[:axis], *shape[axis + 1 :]) == wanted]
    fitting = [axis for axis in fitting if axis in (1, len(shape) - 1) and shape[axis] > 1]
    if not fitting:
        raise MethodError(
            f"labels {list(wanted[1:])} per sample don't fit outputs {list(shape[1:])}: classes need one whole number "
            "for each row of scores, values need floats of the output's shape; or leave the labels out"
        )
    return fitting[-1] if len(shape) == 3 else fitting[0]


def label_loss(output: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy with whole-numbered labels, negative ones left out; mean square distance from float ones."""
    axis = class_axis(output, labels)
    if axis is None:
        return functional.mse_loss(output, like(output, labels))
    flat = labels.reshape(-1).long()
    scores = output.movedim(axis, -1).reshape(len(flat), -1)
    if len(flat) and int(flat.max()) >= scores.shape[1]:
        raise MethodError(f"labels go up to {int(flat.max())} but the output has {scores.shape[1]} classes")
    known = flat >= 0
    total = functional.cross_entropy(scores, flat.where(known, IGNORED), ignore_index=IGNORED, reduction="sum")
    return total / known.sum().clamp_min(1)


def like(output: Tensor, labels: Tensor) -> Tensor:
    """Float labels in the output's shape; `[n]` will do for `[n, 1]`. Raises MethodError."""
    if labels.shape == output.shape:
        return labels
    if labels.numel() != output.numel() or len(labels) != len(output):
        raise MethodError(
            f"labels {list(labels.shape[1:])} per sample don't fit outputs {list(output.shape[1:])}: "
            "give one number for each number of the output, or leave the labels out"
        )
    return labels.reshape(output.shape)


def answer_loss(outputs: Outputs, labels: Tensor | None) -> Tensor:
    """`label_loss`, or how far a network is from its own most likely classes where there are no labels.

    For outputs that are no class scores: half their mean square, whose gradient is the output itself.
    """
    first = _own_answer(outputs[0]) if labels is None else label_loss(outputs[0], labels)
    return torch.stack([*(_own_answer(o) for o in outputs[1:]), first]).sum()


def soft_distance(scores: Tensor, target: Tensor, temperature: float, axis: int = 1) -> Tensor:
    """Kullback-Leibler divergence of the softened probabilities along `axis`, in nats, times the squared temperature
    so that its gradient keeps its size (Hinton, Vinyals and Dean 2015, arXiv 1503.02531, section 2)."""
    student = functional.log_softmax(scores / temperature, dim=axis)
    teacher = functional.log_softmax(target / temperature, dim=axis)
    divergence = functional.kl_div(student, teacher, log_target=True, reduction="none").sum(dim=axis).mean()
    return divergence * temperature**2


def relative_square(output: Tensor, target: Tensor, spread: Tensor | None = None) -> Tensor:
    """Mean square distance over the target's variance, or over a variance that is known: 1 is the error of its mean."""
    spread = target.var(correction=0) if spread is None else spread
    return functional.mse_loss(output, target) / spread.clamp_min(1e-12)


def _own_answer(output: Tensor) -> Tensor:
    if class_axis(output) is None:
        return output.square().mean() / 2
    return functional.cross_entropy(output, output.detach().argmax(dim=1))

"""What a network is asked for: its labels where there are any, its own or a teacher's answers where there are none."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

Outputs = tuple[Tensor, ...]


def is_classifier(output: Tensor) -> bool:
    """Whether an output can be read as class scores: `[n, classes]`, or `[n, classes, height, width]`."""
    return output.dim() in (2, 4) and output.shape[1] > 1


def answer_loss(outputs: Outputs, labels: Tensor | None) -> Tensor:
    """Cross-entropy against labels `[n]`, or against the network's own most likely classes.

    For outputs that are no class scores: half their mean square, whose gradient is the output itself.
    """
    losses = [_own_answer(o) for o in outputs[1:]]
    first = outputs[0]
    if labels is not None and is_classifier(first):
        losses.append(functional.cross_entropy(first, labels))
    else:
        losses.append(_own_answer(first))
    return torch.stack(losses).sum()


def distillation_loss(outputs: Outputs, targets: Outputs, labels: Tensor | None, temperature: float) -> Tensor:
    """How far a student is from its teacher: the mean over outputs, plus cross-entropy where there are labels.

    Class scores: Kullback-Leibler divergence of the softened probabilities, times the squared temperature, so that its
    gradient keeps its size (Hinton, Vinyals and Dean 2015, arXiv 1503.02531, section 2). Others: relative mean square.
    """
    pairs = zip(outputs, targets, strict=True)
    loss = torch.stack([_distance(o, t, temperature) for o, t in pairs]).mean()
    if labels is not None and is_classifier(outputs[0]):
        loss = loss + functional.cross_entropy(outputs[0], labels)
    return loss


def _distance(output: Tensor, target: Tensor, temperature: float) -> Tensor:
    if not is_classifier(target):
        return functional.mse_loss(output, target) / target.var(correction=0).clamp_min(1e-12)
    student = functional.log_softmax(output / temperature, dim=1)
    teacher = functional.log_softmax(target / temperature, dim=1)
    divergence = functional.kl_div(student, teacher, log_target=True, reduction="none").sum(dim=1).mean()
    return divergence * temperature**2


def _own_answer(output: Tensor) -> Tensor:
    if is_classifier(output):
        return functional.cross_entropy(output, output.detach().argmax(dim=1))
    return output.square().mean() / 2

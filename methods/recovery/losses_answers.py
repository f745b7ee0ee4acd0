"""What a student is trained for: its labels, the teacher's answers, or a mix of both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.nn import functional

from methods.base import Data
from methods.graph.ir import Graph
from methods.graph.observe import outputs
from methods.losses import Outputs, class_axis, label_loss, relative_square, soft_distance

_KNOWN: WeakKeyDictionary[Graph, tuple[Data, Outputs]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Answers:
    """`taught * (distance to the teacher) + labelled * (label loss)` for the first output.

    Without labels the teacher counts fully. Further outputs, which have no labels, always keep to the teacher; the
    distances of all outputs are averaged. Float labels and outputs that are values count relative to their variance
    over all samples, so that the two parts weigh alike in any unit.

    Attributes:
        targets: the teacher's outputs for all samples, `[n, ...]` each. spreads: their variances.
        label_spread: variance of float labels; 1 for others.
        temperature: softens class scores; logits: compares the scores themselves by their mean square instead
            (Ba and Caruana, 2014, arXiv 1312.6184).
    """

    targets: Outputs
    spreads: Outputs
    label_spread: float
    taught: float = 1.0
    labelled: float = 1.0
    temperature: float = 4.0
    logits: bool = False

    def __call__(self, outputs: Outputs, index: Tensor, data: Data, epoch: int) -> Tensor:  # noqa: ARG002
        """The loss of a batch; outputs beyond the teacher's (values that are watched) don't count."""
        labels = None if data.labels is None else data.labels[index]
        weights = [1.0 if labels is None else self.taught, *[1.0] * (len(self.targets) - 1)]
        distances = [
            self._distance(outputs[i], i, index, labels if i == 0 else None) * weight
            for i, weight in enumerate(weights)
            if weight
        ]
        loss = torch.stack(distances).sum() / len(weights) if distances else torch.zeros(())
        if labels is None or not self.labelled:
            return loss
        return loss + self.labelled * label_loss(outputs[0], labels) / self.label_spread

    def _distance(self, output: Tensor, place: int, index: Tensor, labels: Tensor | None) -> Tensor:
        target = self.targets[place][index]
        axis = class_axis(output, labels)
        if axis is None:
            return relative_square(output, target, self.spreads[place])
        if self.logits:
            return functional.mse_loss(output, target)
        return soft_distance(output, target, self.temperature, axis)


def answers(teacher: Graph, data: Data, taught: float, labelled: float, temperature: float, logits: bool) -> Answers:
    """The loss for a teacher's students on `data`."""
    targets = _targets(teacher, data)
    floats = data.labels is not None and data.labels.is_floating_point()
    spread = float(_variances([data.labels])[0]) if floats and data.labels is not None else 1.0
    return Answers(targets, _variances(targets), max(spread, 1e-12), taught, labelled, temperature, logits)


def _variances(values: Iterable[Tensor]) -> Outputs:
    return tuple(v.float().var(correction=0).clamp_min(1e-12) for v in values)


def _targets(teacher: Graph, data: Data) -> Outputs:
    """The teacher's outputs, remembered: many students learn from the same teacher on the same data."""
    known = _KNOWN.get(teacher)
    if known is None or known[0] is not data:
        known = _KNOWN[teacher] = (data, outputs(teacher, data.inputs))
    return known[1]

"""Fine-tuning with the original network as teacher: the student learns its answers, and the labels where there are any.

Codebooks, factors and quantised weights are trained as what they are; scales of quantisers stay fixed.

Reference: Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015, arXiv 1503.02531; Adam
(Kingma and Ba, 2015, arXiv 1412.6980) with a cosine rate (Loshchilov and Hutter, 2017, arXiv 1608.03983).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import cos, isfinite, pi
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from methods.base import Data, MethodError
from methods.graph.ir import Graph
from methods.graph.observe import outputs
from methods.losses import distillation_loss

Targets = tuple[Tensor, ...]
_TARGETS: WeakKeyDictionary[Graph, tuple[Data, Targets]] = WeakKeyDictionary()


@dataclass(frozen=True)
class FineTuning:
    """Keeps the weights that did best on a held-out slice, the ones before training among them.

    Attributes:
        epochs: passes over the data. learning_rate: at the start; it falls to zero by a cosine.
        temperature: softens the teacher's answers. batch: samples a step.
        held_out: share of the samples that training does not see and that decides when to stop.
        patience: epochs without progress on them after which training stops. clip: largest norm of a gradient.
        on_epoch: told after each epoch: epochs done, of how many, held-out loss.
    """

    epochs: int = 3
    learning_rate: float = 1e-3
    temperature: float = 4.0
    batch: int = 32
    held_out: float = 0.1
    patience: int = 3
    clip: float = 1.0
    on_epoch: Callable[[int, int, float], None] | None = field(default=None, compare=False)
    name: str = "fine-tuning"

    def recover(self, graph: Graph, teacher: Graph, data: Data, seed: int) -> Graph:
        """A new, trained graph; the same for the same arguments, on one thread. Raises MethodError."""
        result = graph.clone()
        parameters = [p for p in result.module.parameters() if p.requires_grad]
        if not parameters or not self.epochs:
            return result
        if len(data) < 2:
            raise MethodError(f"fine-tuning needs samples to learn from; {len(data)} are not enough")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._train(result, parameters, _targets(teacher, data), data)
        result.set_training(False)
        return result

    def _train(self, graph: Graph, parameters: list[torch.nn.Parameter], targets: Targets, data: Data) -> None:
        order = torch.randperm(len(data))
        held = int(len(data) * self.held_out)
        seen, unseen = order[held:], order[:held] if held else order
        optimizer = torch.optim.Adam(parameters, lr=self.learning_rate)
        steps = max(1, self.epochs * len(list(self._batches(seen))))
        best, state, waited, step = self._loss(graph, data, targets, unseen), _state(graph), 0, 0
        for epoch in range(1, self.epochs + 1):
            graph.set_training(True)
            for index in self._batches(seen[torch.randperm(len(seen))]):
                optimizer.param_groups[0]["lr"] = self.learning_rate * (1 + cos(pi * step / steps)) / 2
                self._step(graph, optimizer, parameters, data.take(index), tuple(t[index] for t in targets))
                step += 1
            loss = self._loss(graph, data, targets, unseen)
            waited += 1
            if loss < best:
                best, state, waited = loss, _state(graph), 0
            if self.on_epoch:
                self.on_epoch(epoch, self.epochs, loss)
            if waited >= self.patience or not isfinite(loss):
                break
        graph.module.load_state_dict(state)

    def _batches(self, order: Tensor) -> Iterator[Tensor]:
        """Indices a batch; a last one of a single sample is left out (batch normalisation can't use it)."""
        parts = order.split(self.batch)
        yield from (part for part in parts if len(part) > 1 or len(parts) == 1)

    def _step(
        self,
        graph: Graph,
        optimizer: torch.optim.Optimizer,
        parameters: list[torch.nn.Parameter],
        part: Data,
        targets: Targets,
    ) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss = distillation_loss(graph(*part.inputs), targets, part.labels, self.temperature)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, self.clip)
        optimizer.step()

    def _loss(self, graph: Graph, data: Data, targets: Targets, index: Tensor) -> float:
        """The same loss on samples apart, in evaluation mode."""
        graph.set_training(False)
        part = data.take(index)
        found = outputs(graph, part.inputs)
        return float(distillation_loss(found, tuple(t[index] for t in targets), part.labels, self.temperature))


def _targets(teacher: Graph, data: Data) -> Targets:
    """The teacher's outputs, remembered: many students learn from the same teacher on the same data."""
    known = _TARGETS.get(teacher)
    if known is None or known[0] is not data:
        known = _TARGETS[teacher] = (data, outputs(teacher, data.inputs))
    return known[1]


def _state(graph: Graph) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in graph.module.state_dict().items()}

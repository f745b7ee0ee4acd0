"""The loop behind `training.train`: epochs, steps, the held-out loss, the best weights and the state."""

from __future__ import annotations

from collections.abc import Iterator
from math import cos, isfinite, pi

import torch
from torch import Tensor

from methods.base import Data, MethodError
from methods.graph.ir import Graph, first_line
from methods.losses import Outputs
from methods.recovery.state import TrainingState, flat
from methods.recovery.training import Extras, Loss, Training

HELD_OUT_BATCH = 256


class Loop:
    """One training, from `run` to its end. It changes the graph that it is given."""

    def __init__(self, graph: Graph, data: Data, loss: Loss, settings: Training, seed: int, extras: Extras) -> None:
        self.graph, self.data, self.loss = graph, data, loss
        self.settings, self.extras, self.seed = settings, extras, seed
        self.parameters = [p for p in graph.module.parameters() if p.requires_grad] + list(extras.parameters)
        self.epoch, self.step, self.waited, self.best = 0, 0, 0, float("inf")
        self.kept: dict[str, Tensor] = {}

    def run(self) -> None:
        """Trains to the end. The global generator of random numbers stays as it was."""
        if self.parameters and self.settings.epochs:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed)
                self._begin()
                while self.epoch < self.settings.epochs and self.waited < self.settings.patience:
                    self._pass()
            self.graph.module.load_state_dict(self.kept)
        self.graph.set_training(False)

    def _begin(self) -> None:
        order = torch.randperm(len(self.data))
        held = int(len(self.data) * self.settings.held_out)
        self.seen, self.unseen = order[held:], order[:held] if held else order
        self.steps = self.settings.epochs * self.settings.steps(len(self.data))
        self.optimiser = _optimiser(self.settings, self.parameters)
        if self.settings.precision != "float32":
            self._try_precision()
        if self.settings.resume is not None:
            self._take_back(self.settings.resume)
            return
        self.best, self.kept = self._held_out_loss(), self._weights()
        if not isfinite(self.best):
            raise MethodError(
                f"the loss is {self.best} before training has begun: look for NaN or infinite values in the network's "
                "weights, the samples and the labels"
            )

    def _pass(self) -> None:
        self.epoch += 1
        self.graph.set_training(True)
        for index in self._batches(self.seen[torch.randperm(len(self.seen))]):
            self._step(index)
        with torch.no_grad():
            for hook in self.extras.after_epoch:
                hook(self.graph, self.epoch)
        loss = self._held_out_loss()
        self.waited += 1
        if loss < self.best or self.extras.keep_last:
            self.best, self.kept, self.waited = loss, self._weights(), 0
        if not isfinite(loss):
            self.waited = self.settings.patience
        if self.settings.on_state:
            self.settings.on_state(self._state())
        if self.settings.on_epoch:
            self.settings.on_epoch(self.epoch, self.settings.epochs, loss)

    def _batches(self, order: Tensor) -> Iterator[Tensor]:
        """Indices a batch; a last one of a single sample is left out (batch normalisation can't use it)."""
        parts = order.split(self.settings.batch)
        yield from (part for part in parts if len(part) > 1 or len(parts) == 1 or self.settings.batch == 1)

    def _step(self, index: Tensor) -> None:
        rate = self.settings.learning_rate * (1 + cos(pi * self.step / self.steps)) / 2
        self.optimiser.param_groups[0]["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.loss(self._outputs(index), index, self.data, self.epoch)
        for term in self.extras.terms:
            loss = loss + term(self.graph, self.epoch)
        if loss.requires_grad:
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.clip)
            self.optimiser.step()
        self.step += 1
        with torch.no_grad():
            for hook in self.extras.after_step:
                hook(self.graph, self.step)

    def _outputs(self, index: Tensor) -> Outputs:
        inputs = self.data.take(index).inputs
        if self.settings.precision == "float32":
            return self.graph(*inputs)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = self.graph(*inputs)
        return tuple(value.float() if value.is_floating_point() else value for value in found)

    def _held_out_loss(self) -> float:
        """The same loss, without what is added to it, on samples apart and in evaluation mode."""
        self.graph.set_training(False)
        total = 0.0
        with torch.no_grad():
            for index in self.unseen.split(HELD_OUT_BATCH):
                total += len(index) * float(self.loss(self._outputs(index), index, self.data, self.epoch))
        return total / len(self.unseen)

    def _try_precision(self) -> None:
        """One step forth and back. Raises MethodError for a network that can't do it."""
        self.graph.set_training(False)
        try:
            index = self.seen[: self.settings.batch]
            self.loss(self._outputs(index), index, self.data, 1).backward()
        except (RuntimeError, NotImplementedError) as error:
            raise MethodError(
                f"this network can't be trained in {self.settings.precision} ({first_line(error)}); take float32"
            ) from error

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.graph.module.state_dict().items()}

    def _agreement(self) -> dict[str, float]:
        """What a state must have in common with the training that takes it back."""
        settings = self.settings
        numbers = {"seed": self.seed, "samples": len(self.data), "epochs": settings.epochs, "batch": settings.batch}
        return {name: float(value) for name, value in (numbers | {"stage": self.extras.stage}).items()}

    def _state(self) -> TrainingState:
        moments = self.optimiser.state_dict()["state"]
        tensors = {
            f"optimiser.{i}.{key}": t.clone() for i, of in moments.items() for key, t in of.items() if t is not None
        }
        tensors |= flat("model", self._weights()) | flat("best", self.kept) | flat("carried", self.extras.carried)
        tensors |= flat("extra", {str(i): p for i, p in enumerate(self.extras.parameters)})
        numbers = {"epoch": self.epoch, "step": self.step, "waited": self.waited, "best": self.best}
        return TrainingState(tensors | {"random": torch.get_rng_state()}, self._agreement() | numbers)

    def _take_back(self, state: TrainingState) -> None:
        unlike = [name for name, value in self._agreement().items() if state.numbers.get(name) != value]
        if unlike or set(state.under("model")) != set(self.graph.module.state_dict()):
            what = ", ".join(unlike) or "network"
            raise MethodError(f"the state belongs to a training with another {what}; start from the beginning")
        self.graph.module.load_state_dict(state.under("model"))
        self.kept = state.under("best")
        own = self.extras.carried | {str(i): p for i, p in enumerate(self.extras.parameters)}
        with torch.no_grad():
            for name, value in (state.under("carried") | state.under("extra")).items():
                own[name].copy_(value)
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in state.under("optimiser").items():
            number, _, key = name.partition(".")
            moments.setdefault(int(number), {})[key] = value.clone()
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": moments})
        self.epoch, self.step, self.waited = (int(state.numbers[name]) for name in ("epoch", "step", "waited"))
        self.best = state.numbers["best"]
        torch.set_rng_state(state.tensors["random"])


def _optimiser(settings: Training, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    if settings.optimiser == "sgd":
        return torch.optim.SGD(parameters, settings.learning_rate, settings.momentum, weight_decay=settings.decay)
    return torch.optim.Adam(parameters, settings.learning_rate, weight_decay=settings.decay)

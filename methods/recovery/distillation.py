"""Distillation: a teacher's softened answers, its scores, or hints from its middle, mixed with the labels.

References: Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015, arXiv 1503.02531 ("soft");
Ba and Caruana, "Do deep nets really need to be deep?", 2014, arXiv 1312.6184 ("logits"); Romero et al., "FitNets",
2015, arXiv 1412.6550 ("hints", two stages); with students whose weights are quantised: Polino, Pascanu and Alistarh,
"Model compression via distillation and quantization", 2018, arXiv 1802.05668.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from methods.base import Data
from methods.graph.ir import Graph
from methods.graph.taps import tapped
from methods.recovery.losses_answers import answers
from methods.recovery.losses_hints import hint_loss, pick_pair
from methods.recovery.trained import TrainedRecovery
from methods.recovery.training import Extras, Loss, check_samples, require, train

KINDS = ("soft", "logits", "hints")


@dataclass(frozen=True)
class Distillation(TrainedRecovery):
    """Loss: `mix * teacher + (1 - mix) * labels`; without labels the teacher alone.

    Attributes:
        temperature: softens class scores. mix: the teacher's share, from 0 (labels alone) to 1.
        kind: "soft" compares softened probabilities, "logits" the scores themselves; "hints" first brings a middle
            layer close to the teacher's, then does as "soft".
        hint: the student's layer by its site, `weight:conv2`; empty for the middle one of those that both have.
        hint_of: the teacher's layer, where its site is another. hint_share: share of the epochs given to the hint.
    """

    temperature: float = 2.0
    mix: float = 0.9
    kind: str = "soft"
    hint: str = ""
    hint_of: str = ""
    hint_share: float = 0.3
    name: str = "distillation"

    def __post_init__(self) -> None:
        """Raises MethodError for a setting that can't be."""
        super().__post_init__()
        require("temperature", 0 < self.temperature < float("inf"), "a number above 0")
        require("mix", 0 <= self.mix <= 1, "from 0 to 1")
        require("kind", self.kind in KINDS, f"one of {', '.join(KINDS)}")
        require("hint_share", 0 <= self.hint_share < 1, "from 0 to below 1")

    def loss(self, graph: Graph, teacher: Graph, data: Data) -> Loss:  # noqa: ARG002
        """That of the whole network."""
        return answers(teacher, data, self.mix, 1 - self.mix, self.temperature, logits=self.kind == "logits")

    def trained(self, graph: Graph, teacher: Graph, data: Data, seed: int, extras: Extras) -> Graph:
        """As in every training recovery, after a stage for the hint where there is one; extras join the last stage."""
        first = round(self.hint_share * self.epochs) if self.kind == "hints" else 0
        if not first:
            return super().trained(graph, teacher, data, seed, extras)
        done = self.resume is not None and self.resume.numbers.get("stage") == 2
        hinted = graph if done else self._hinted(graph, teacher, data, seed, first)
        after = replace(
            self,
            kind="soft",
            epochs=self.epochs - first,
            on_epoch=self._counted(first),
            resume=self.resume if done else None,
        )
        return after.trained(hinted, teacher, data, seed, replace(extras, stage=2))

    def _hinted(self, graph: Graph, teacher: Graph, data: Data, seed: int, epochs: int) -> Graph:
        """Stage one: everything up to the hinted layer, with a regressor that is left behind."""
        check_samples(data)
        result = graph.clone()
        pair = pick_pair(result, teacher, self.hint, self.hint_of)
        loss = hint_loss(result, teacher, pair, data, torch.Generator().manual_seed(seed))
        extras = Extras(parameters=() if loss.regressor is None else tuple(loss.regressor.parameters()))
        with tapped(result, [pair[0].node]):
            train(result, data, loss, replace(self, epochs=epochs, on_epoch=self._counted(0)), seed, extras)
        return result

    def _counted(self, before: int) -> Callable[[int, int, float], None] | None:
        """`on_epoch` that counts over both stages."""
        told = self.on_epoch
        return None if told is None else lambda done, _, loss: told(before + done, self.epochs, loss)

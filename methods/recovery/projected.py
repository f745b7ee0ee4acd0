"""Projected training: again and again the weights become the nearest ones that have the wanted forms.

"straight-through" computes with projected weights and gives every step to full ones behind them, so that what was cut
off or rounded can change its mind: BinaryConnect (Courbariaux, Bengio and David, 2015, arXiv 1511.00363) for any form;
with masks it is the splicing of Dynamic network surgery (Guo, Yao and Chen, 2016, arXiv 1608.04493). "soft" projects
the weights themselves after every epoch and trains on from there: Soft filter pruning (He et al., 2018, arXiv
1808.06866) for any form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from methods.base import Data, Recovery
from methods.graph.ir import Graph
from methods.recovery.fine_tuning import FineTuning
from methods.recovery.schedule import Target, divided, training_recovery
from methods.recovery.training import Extras, require


@dataclass(frozen=True)
class StraightThrough:
    """Steps are taken at projected weights and kept in full ones.

    Attributes:
        recovery: must train. share: of its epochs, for the way to the forms.
        every: steps from one projection to the next; 1 is exact, more is cheaper where projecting takes long.
    """

    recovery: Recovery = field(default_factory=FineTuning)
    share: float = 0.6
    every: int = 1
    name: str = "straight-through"
    full_weights: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Raises MethodError for a setting that can't be."""
        require("share", 0 < self.share < 1, "between 0 and 1")
        require("every", self.every >= 1, "at least 1")
        training_recovery(self.name, self.recovery)

    def reach(self, graph: Graph, teacher: Graph, data: Data, seed: int, target: Target) -> Graph:
        """The graph under its forms. With fewer than two epochs there is no way to walk, and it is one-shot."""
        return _walked(self.recovery, self.share, graph, teacher, data, seed, target, every=self.every)


@dataclass(frozen=True)
class Soft:
    """Weights are projected after every epoch, and trained freely in between.

    Attributes:
        recovery: must train. share: of its epochs, for the way to the forms.
    """

    recovery: Recovery = field(default_factory=FineTuning)
    share: float = 0.6
    name: str = "soft"
    full_weights: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Raises MethodError for a setting that can't be."""
        require("share", 0 < self.share < 1, "between 0 and 1")
        training_recovery(self.name, self.recovery)

    def reach(self, graph: Graph, teacher: Graph, data: Data, seed: int, target: Target) -> Graph:
        """The graph under its forms. With fewer than two epochs there is no way to walk, and it is one-shot."""
        return _walked(self.recovery, self.share, graph, teacher, data, seed, target, every=0)


def _walked(
    recovery: Recovery, share: float, graph: Graph, teacher: Graph, data: Data, seed: int, target: Target, every: int
) -> Graph:
    """Projected training over a share of the epochs, then the forms and the rest of the epochs under them."""
    trained = training_recovery("projected", recovery)
    way, under = divided(trained.epochs, share)
    if way:
        start = graph.clone()
        shadow = Shadow(target, start, every)
        graph = trained.lasting(way).trained(start, teacher, data, seed, shadow.extras)
    return trained.lasting(under).recover(target.apply(graph), teacher, data, seed + 1)


class Shadow:
    """The full weights behind projected ones: `full` moves by whatever training does to the projected `points`.

    With `every` 0 there is nothing behind: after each epoch the weights themselves are projected.
    """

    def __init__(self, target: Target, graph: Graph, every: int) -> None:
        self.target, self.every = target, every
        self.points = {name: point.clone() for name, point in target.project(graph).items()}
        self.full = {name: graph.tensor(name).detach().clone() for name in self.points}
        _fill(graph, self.points)

    @property
    def extras(self) -> Extras:
        """What joins the training."""
        carried = {f"point {n}": t for n, t in self.points.items()} | {f"full {n}": t for n, t in self.full.items()}
        steps = (self.after_step,) if self.every else ()
        return Extras(after_step=steps, after_epoch=(self.after_epoch,), carried=carried)

    def after_step(self, graph: Graph, step: int) -> None:
        """Projects every so many steps."""
        if step % self.every == 0:
            self.project(graph)

    def after_epoch(self, graph: Graph, epoch: int) -> None:  # noqa: ARG002
        """So that the held-out loss is that of projected weights."""
        self.project(graph)

    def project(self, graph: Graph) -> None:
        """Hands the steps since the last projection on to the full weights, and computes with their nearest again."""
        for name, full in self.full.items():
            full.add_(graph.tensor(name) - self.points[name]) if self.every else full.copy_(graph.tensor(name))
        _fill(graph, self.full)
        for name, point in self.target.project(graph).items():
            self.points[name].copy_(point)
        _fill(graph, self.points)


def _fill(graph: Graph, values: dict[str, Tensor]) -> None:
    for name, value in values.items():
        graph.tensor(name).data.copy_(value)

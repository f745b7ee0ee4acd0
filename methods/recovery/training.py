"""The one training loop's settings, what may be hooked into it, and its door.

Adam (Kingma and Ba, 2015, arXiv 1412.6980) or SGD with momentum, with a cosine rate (Loshchilov and Hutter, 2017,
arXiv 1608.03983); bfloat16 where asked for (Micikevicius et al., 2018, arXiv 1710.03740; Kalamkar et al., 2019, arXiv
1905.12322). Codebooks, factors and quantised weights are trained as what they are: forms stand in the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite

from torch import Tensor, nn

from methods.base import Data, MethodError
from methods.graph.ir import Graph
from methods.losses import Outputs
from methods.recovery.state import TrainingState

OPTIMISERS = ("adam", "sgd")
PRECISIONS = ("float32", "bfloat16")


Loss = Callable[[Outputs, Tensor, Data, int], Tensor]
"""What is trained for, a number to make small: from the network's outputs for the samples `index` of `data`, the index,
the data, and the epoch (from 1; 0 before the first)."""


@dataclass(frozen=True)
class Extras:
    """What a recovery adds to the loop.

    Attributes:
        terms: each gives a number that is added to the loss of every step, from the graph and the epoch.
        after_step: told the graph after each step, and the step's number from 1; may change parameters in place.
        after_epoch: the same after each epoch, before its held-out loss is taken.
        parameters: trained beside the network's own.
        carried: tensors that the hooks change: they belong to the state, and are filled in place when it is taken back.
        keep_last: the last weights are kept, whatever the held-out loss says, and no epoch is saved.
        stage: which part of a longer training this is; states of other parts are refused.
    """

    terms: tuple[Callable[[Graph, int], Tensor], ...] = ()
    after_step: tuple[Callable[[Graph, int], None], ...] = ()
    after_epoch: tuple[Callable[[Graph, int], None], ...] = ()
    parameters: tuple[nn.Parameter, ...] = ()
    carried: dict[str, Tensor] = field(default_factory=dict)
    keep_last: bool = False
    stage: int = 1


@dataclass(frozen=True)
class Training:
    """Keeps the weights that did best on a held-out slice, the ones before training among them.

    Attributes:
        epochs: passes over the data. learning_rate: at the start; it falls to zero by a cosine. batch: samples a step.
        held_out: share of the samples that training does not see and that decides when to stop.
        patience: epochs without progress on them after which training stops. clip: largest norm of a gradient.
        optimiser: "adam" or "sgd". momentum: of sgd. decay: L2 penalty on every weight.
        precision: "bfloat16" computes layers in half precision where the processor has it; weights stay float32.
        on_epoch: told after each epoch: epochs done, of how many, held-out loss. Raising stops the training.
        on_state: given the state after each epoch. resume: such a state, to go on from it.
    """

    epochs: int = 3
    learning_rate: float = 1e-3
    batch: int = 32
    held_out: float = 0.1
    patience: int = 3
    clip: float = 1.0
    optimiser: str = "adam"
    momentum: float = 0.9
    decay: float = 0.0
    precision: str = "float32"
    on_epoch: Callable[[int, int, float], None] | None = field(default=None, compare=False, repr=False)
    on_state: Callable[[TrainingState], None] | None = field(default=None, compare=False, repr=False)
    resume: TrainingState | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Raises MethodError for a setting that can't be, naming it."""
        whole = {"epochs": 0, "batch": 1, "patience": 1}
        for name, least in whole.items():
            require(name, isinstance(getattr(self, name), int) and getattr(self, name) >= least, f"at least {least}")
        for name in ("learning_rate", "clip"):
            require(name, isfinite(getattr(self, name)) and getattr(self, name) > 0, "a number above 0")
        for name in ("held_out", "momentum"):
            require(name, 0 <= getattr(self, name) < 1, "from 0 to below 1")
        require("decay", 0 <= self.decay < float("inf"), "0 or more")
        require("optimiser", self.optimiser in OPTIMISERS, f"one of {', '.join(OPTIMISERS)}")
        require("precision", self.precision in PRECISIONS, f"one of {', '.join(PRECISIONS)}")

    def steps(self, samples: int) -> int:
        """Steps of one epoch over so many samples, the held-out ones among them."""
        seen = samples - int(samples * self.held_out)
        whole, rest = divmod(seen, self.batch)
        return whole + (rest > 1 or not whole)


def require(name: str, holds: bool, what: str) -> None:
    """Raises MethodError, naming the setting and what it may be, unless it holds."""
    if not holds:
        raise MethodError(f"the training setting {name!r} must be {what}")


def train(graph: Graph, data: Data, loss: Loss, settings: Training, seed: int, extras: Extras | None = None) -> None:
    """Trains a graph in place and leaves it in evaluation mode; the same for the same arguments, on one thread.

    Raises MethodError for fewer than two samples, for a loss that isn't a number before training has begun, and for a
    state that belongs to another training; and whatever a callback raises.
    """
    from methods.recovery.loop import Loop  # it is written in terms of this module

    check_samples(data)
    Loop(graph, data, loss, settings, seed, extras or Extras()).run()


def check_samples(data: Data) -> None:
    """Raises MethodError where there are too few samples to learn from."""
    if len(data) < 2:
        raise MethodError(f"training needs samples to learn from; {len(data)} are not enough, give at least 2")

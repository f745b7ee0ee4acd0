"""The training loop: one step by hand, resuming, stopping, hooks and refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from methods.base import Data, MethodError
from methods.graph.ir import Graph
from methods.recovery.distillation import Distillation
from methods.recovery.fine_tuning import FineTuning, PlainFineTuning
from methods.recovery.state import TrainingState
from methods.recovery.training import Extras, Training
from tests.methods.recovery.students import captured, loss, same, shaken, task


def test_one_step_goes_against_the_gradient() -> None:
    """Plain SGD on one batch of everything: weight - rate * gradient, in evaluation mode's outputs."""
    teacher, data = task("values", 32)
    student = shaken(teacher)
    settings = dict(epochs=1, batch=32, held_out=0.0, optimiser="sgd", momentum=0.0, clip=1e9, learning_rate=0.01)
    result = PlainFineTuning(**settings).recover(student, teacher, data, 0)  # type: ignore[arg-type]
    twin = student.clone()
    assert data.labels is not None
    error = (twin(*data.inputs)[0] - data.labels).square().mean() / data.labels.var(correction=0)
    error.backward()
    weight = twin.tensor("0.weight")
    assert weight.grad is not None
    torch.testing.assert_close(result.tensor("0.weight"), weight.detach() - 0.01 * weight.grad)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("after", [1, 2])
def test_a_resumed_training_ends_as_the_undisturbed_one(optimiser: str, after: int) -> None:
    """Bit for bit, with dropout and batch statistics; the state has been through bytes."""
    teacher, data = captured("dense")
    student, states = shaken(teacher), list[TrainingState]()
    tuning = FineTuning(epochs=3, optimiser=optimiser, learning_rate=1e-2, on_state=states.append)
    whole = tuning.recover(student, teacher, data, 4)
    state = TrainingState.from_bytes(states[after - 1].to_bytes())
    resumed = replace(tuning, on_state=None, resume=state).recover(student, teacher, data, 4)
    assert same(whole, resumed)
    assert not same(whole, student)


@pytest.mark.parametrize("after", [1, 2, 3])
def test_both_stages_of_hints_can_be_resumed(after: int) -> None:
    """The first stage's regressor is part of the state; in the second the first is not run again."""
    teacher, data = task("values")
    student, _ = task("values")
    states: list[TrainingState] = []
    tuning = Distillation(kind="hints", epochs=4, hint_share=0.5, on_state=states.append)
    whole = tuning.recover(shaken(student), teacher, data, 4)
    epochs: list[int] = []
    again = replace(
        tuning, on_state=None, resume=states[after - 1], on_epoch=lambda done, of, loss: epochs.append(done)
    )
    assert same(whole, again.recover(shaken(student), teacher, data, 4))
    assert epochs == list(range(after + 1, 5))


def test_a_callback_may_stop_a_training() -> None:
    """What it raises comes out; student and global generator are what they were."""
    teacher, data = captured("plain")
    student = shaken(teacher)
    before = student.clone()

    def stop(done: int, of: int, loss: float) -> None:
        raise KeyboardInterrupt

    torch.manual_seed(3)
    with pytest.raises(KeyboardInterrupt):
        FineTuning(on_epoch=stop).recover(student, teacher, data, 0)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(1))
    assert same(student, before)


def test_terms_and_hooks_join_the_training() -> None:
    """A price on weights makes them smaller; a hook after each step has the last word; epochs are counted from 1."""
    teacher, data = task("values")
    seen: list[int] = []

    def price(graph: Graph, epoch: int) -> Tensor:
        return 10 * graph.tensor("0.weight").square().sum()

    def clamp(graph: Graph, step: int) -> None:
        graph.tensor("2.bias").zero_()

    extras = Extras((price,), (clamp,), (lambda graph, epoch: seen.append(epoch),), keep_last=True)
    result = FineTuning(epochs=3, learning_rate=1e-2).trained(teacher, teacher, data, 0, extras)
    assert float(result.tensor("0.weight").detach().norm()) < 0.9 * float(teacher.tensor("0.weight").detach().norm())
    assert not result.tensor("2.bias").any()
    assert seen == [1, 2, 3]


def test_half_precision_trains_to_other_bits_but_as_far() -> None:
    """Layers compute in bfloat16, weights stay float32."""
    teacher, data = captured("plain", 128)
    student = shaken(teacher)
    exact, half = (
        FineTuning(epochs=2, precision=p).recover(student, teacher, data, 0) for p in ("float32", "bfloat16")
    )
    assert not same(exact, half)
    assert half.tensor("fc1.weight").dtype == torch.float32
    assert loss(half, teacher, data) < loss(student, teacher, data)


def test_broken_weights_are_refused() -> None:
    """Before a step is taken, with where to look."""
    teacher, data = captured("plain")
    student = teacher.clone()
    student.tensor("conv1.weight").data[0] = torch.nan
    with pytest.raises(MethodError, match="loss is nan before training has begun: look for NaN"):
        FineTuning().recover(student, teacher, data, 0)


BAD: list[dict[str, Any]] = [
    {"epochs": -1},
    {"epochs": 1.5},
    {"batch": 0},
    {"learning_rate": 0.0},
    {"learning_rate": float("nan")},
    {"held_out": 1.0},
    {"clip": -1.0},
    {"optimiser": "lion"},
    {"precision": "float8"},
    {"patience": 0},
    {"decay": -1.0},
]


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_settings_out_of_range_are_refused(bad: dict[str, Any]) -> None:
    """Naming the setting and what it may be."""
    with pytest.raises(MethodError, match=f"'{next(iter(bad))}' must be"):
        Training(**bad)


def test_a_state_of_another_training_is_refused() -> None:
    """Another seed, another network, and bytes that are no state."""
    teacher, data = task("values")
    states: list[TrainingState] = []
    FineTuning(epochs=2, on_state=states.append).recover(teacher, teacher, data, 0)
    resumed = FineTuning(epochs=2, resume=states[0])
    with pytest.raises(MethodError, match="another seed"):
        resumed.recover(teacher, teacher, data, 1)
    other, samples = task("tokens")
    with pytest.raises(MethodError, match="another network"):
        resumed.recover(other, other, samples, 0)
    with pytest.raises(MethodError, match="no state of a training"):
        TrainingState.from_bytes(b"PK\x03\x04" + bytes(100))


@pytest.mark.parametrize(("samples", "batch"), [(2, 32), (33, 8), (40, 8), (41, 8), (10, 1)])
def test_steps_are_counted_beforehand(samples: int, batch: int) -> None:
    """As many as the loop takes: a last batch of one sample is left out."""
    teacher, data = task("values", samples)
    steps: list[int] = []
    tuning = FineTuning(epochs=1, batch=batch)
    extras = Extras(after_step=(lambda graph, step: steps.append(step),))
    tuning.trained(teacher, teacher, Data(data.inputs), 0, extras)
    assert len(steps) == tuning.steps(samples)

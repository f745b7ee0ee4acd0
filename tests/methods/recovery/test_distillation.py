"""Distillation: hints and their regressors, and students whose weights are quantised or shared."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from methods.base import Data, MethodError
from methods.channel_pruning import ChannelPruning
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.surgery.rounding import quantise_weight
from methods.recovery.distillation import Distillation
from methods.recovery.fine_tuning import PlainFineTuning
from methods.recovery.losses_hints import agreeing, channels_first, hint_loss, pick_pair
from methods.recovery.training import Extras
from methods.weight_sharing import WeightSharing
from tests.methods.recovery.students import captured, form, loss, same, shaken, task, values

ONE_STEP = {"epochs": 1, "batch": 32, "held_out": 0.0, "optimiser": "sgd", "momentum": 0.0, "clip": 1e9}
LAST = Extras(keep_last=True)


@pytest.mark.seed("fitnets")
@settings(max_examples=25, deadline=None)
@given(
    places=st.tuples(st.lists(st.integers(1, 5), max_size=3), st.lists(st.integers(1, 5), max_size=3)),
    channels=st.tuples(st.integers(1, 4), st.integers(1, 4)),
)
def test_any_two_values_can_be_made_to_agree(places: tuple[list[int], list[int]], channels: tuple[int, int]) -> None:
    """Whatever places they have: averaged to the fewer, or away where only one of them has such axes."""
    one, other = (torch.randn(2, c, *p) for c, p in zip(channels, places, strict=True))
    a, b = agreeing(one, other)
    assert a.shape[2:] == b.shape[2:]
    assert (a.shape[:2], b.shape[:2]) == (one.shape[:2], other.shape[:2])
    torch.testing.assert_close(agreeing(one, one)[0], one)
    assert channels_first(one, last=True).shape[1] == one.shape[-1]


def wide_and_thin() -> tuple[Graph, Graph, Data]:
    """A convolutional teacher, and a student with a third of its channels and larger images in its middle."""
    torch.manual_seed(0)

    def network(width: int, stride: int) -> nn.Module:
        middle = [nn.Conv2d(1, width, 3, stride, 1), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, 1, 1), nn.ReLU()]
        return nn.Sequential(*middle, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, 4))

    teacher, student = (capture(network(*of), torch.randn(2, 1, 8, 8)) for of in ((12, 2), (4, 1)))
    return teacher, student, Data(teacher.example(64))


@pytest.mark.seed("fitnets")
@pytest.mark.parametrize(("hint", "hint_of"), [("", ""), ("weight:2", "weight:0"), ("weight:6", "weight:2")])
def test_a_hint_needs_no_shape_in_common(hint: str, hint_of: str) -> None:
    """Thin against wide, large against small, a linear layer against a convolution; nothing of it stays behind."""
    teacher, student, data = wide_and_thin()
    tuning = Distillation(kind="hints", epochs=2, hint=hint, hint_of=hint_of)
    result = tuning.recover(student, teacher, data, 0)
    assert form(result) == form(student)
    assert result.module.state_dict().keys() == student.module.state_dict().keys()
    assert len(result(*data.inputs)) == 1
    assert not same(result, student)


@pytest.mark.seed("fitnets")
def test_the_first_stage_brings_the_hint_down() -> None:
    """By more than 90 %, through a regressor where the teacher's layer is narrower; layers behind the hint wait."""
    teacher, data = task("values", 256)
    torch.manual_seed(9)
    student, seen = capture(values(), torch.randn(2, 6)), list[float]()
    hints = {"kind": "hints", "hint": "weight:0", "hint_of": "weight:2", "hint_share": 0.99}
    told = Distillation(
        epochs=41,
        learning_rate=3e-2,
        patience=40,
        on_epoch=lambda done, of, x: seen.append(x),
        **hints,  # type: ignore[arg-type]
    )
    told.recover(student, teacher, data, 0)
    pair = pick_pair(student, teacher, "weight:0", "weight:2")
    before = hint_loss(student, teacher, pair, data, torch.Generator().manual_seed(0))
    with torch.no_grad():
        start = float(before((_first(student, data),), torch.arange(256), data, 0))
    assert before.regressor is not None
    assert seen[39] < 0.1 * start


def _first(graph: Graph, data: Data) -> Tensor:
    return torch.nn.functional.linear(data.inputs[0], graph.tensor("0.weight"), graph.tensor("0.bias"))


def test_the_middle_layer_is_taken_where_none_is_named() -> None:
    """Of those that both have, the last one left out; a site that isn't there is answered with those that are."""
    teacher, data = captured("plain")
    student = ChannelPruning().apply(teacher, {"channels:conv2": 0.5}, data)
    assert [use.site for use in pick_pair(student, teacher, "", "")] == ["weight:conv2"] * 2
    with pytest.raises(MethodError, match=r"the student has no layer 'weight:fc9'.*it has weight:conv1"):
        Distillation(kind="hints", hint="weight:fc9").recover(student, teacher, data, 0)
    with pytest.raises(MethodError, match="the teacher has no layer 'weight:up'"):
        Distillation(kind="hints", hint="weight:fc1", hint_of="weight:up").recover(student, teacher, data, 0)


@pytest.mark.parametrize("kind", ["soft", "logits", "hints"])
def test_every_kind_brings_a_student_closer(kind: str) -> None:
    """Without labels too."""
    teacher, data = captured("plain", 192)
    student = shaken(teacher)
    for known in (data, Data(data.inputs)):
        result = Distillation(kind=kind, epochs=4, learning_rate=3e-3).recover(student, teacher, known, 0)
        assert loss(result, teacher, known) < 0.9 * loss(student, teacher, known)


@pytest.mark.seed("quantized-distillation", "qat")
def test_gradients_are_taken_at_quantised_weights_and_applied_to_float_ones() -> None:
    """One step of SGD: the float weight moves by the gradient of a network that holds the rounded one."""
    teacher, data = task("values", 32)
    student, weight = teacher.clone(), teacher.tensor("2.weight").detach()
    scale = weight.abs().amax(1) / 7
    quantise_weight(student, next(u for u in student.weight_uses() if u.site == "weight:2"), scale, -7, 7)
    student.module.recompile()
    rate = 0.5
    result = PlainFineTuning(learning_rate=rate, **ONE_STEP).trained(student, teacher, data, 0, LAST)  # type: ignore[arg-type]
    rounded = (weight / scale[:, None]).round() * scale[:, None]
    assert not torch.equal(rounded, weight)
    moved = result.tensor("2.weight").detach()
    torch.testing.assert_close(
        moved, weight - rate * _gradient(teacher, "2.weight", rounded, data), rtol=1e-3, atol=1e-6
    )


def _gradient(graph: Graph, name: str, value: Tensor, data: Data) -> Tensor:
    """Of the mean square loss, for a network that computes with `value`."""
    twin = graph.clone()
    twin.tensor(name).data.copy_(value)
    assert data.labels is not None
    error = (twin(*data.inputs)[0] - data.labels).square().mean() / data.labels.var(correction=0)
    error.backward()
    gradient = twin.tensor(name).grad
    assert gradient is not None
    return gradient


@pytest.mark.seed("deep-compression")
def test_a_shared_value_moves_by_the_sum_of_its_members() -> None:
    """One step of SGD on a codebook: each centre gets the added gradients of all weights that share it."""
    teacher, data = task("values", 32)
    student = WeightSharing().apply(teacher, {"weight:2": 2}, data)
    book, index = student.tensor("2.weight.codebook").detach(), student.tensor("2.weight.indices").long()
    result = PlainFineTuning(learning_rate=0.1, **ONE_STEP).trained(student, teacher, data, 0, LAST)  # type: ignore[arg-type]
    dense = teacher.clone()
    dense.set_tensor("2.weight", book[index].reshape(12, 16))
    slopes = _gradient(dense, "2.weight", book[index].reshape(12, 16), data).flatten()
    summed = torch.stack([slopes[index == centre].sum() for centre in range(len(book))])
    torch.testing.assert_close(result.tensor("2.weight.codebook").detach(), book - 0.1 * summed)

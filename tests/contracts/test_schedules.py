"""What every schedule promises, on classes, values and tokens: a new one is tested by its line in the catalogue."""

from __future__ import annotations

import sys

import pytest
import torch

from methods.base import Data, MethodError
from methods.recovery.catalogue import SCHEDULES, schedule_of
from methods.recovery.schedule import Schedule, Target
from tests.methods.recovery.students import CodebookTarget, MaskTarget, captured, form, loss, same, task

torch.set_num_threads(1)

EVERY_SCHEDULE = pytest.mark.parametrize("each", SCHEDULES.values(), ids=lambda s: s.name)
EVERY_TASK = pytest.mark.parametrize("kind", ["classes", "values", "tokens"])
TARGETS = pytest.mark.parametrize("target", [MaskTarget(0.25), CodebookTarget(2)], ids=["masks", "codebooks"])
LABELS = pytest.mark.parametrize("labelled", [True, False], ids=["labels", "none"])


@EVERY_SCHEDULE
@EVERY_TASK
@TARGETS
@LABELS
def test_it_reaches_the_forms(each: Schedule, kind: str, target: Target, labelled: bool) -> None:
    """The result is the network with its forms on, whatever was done on the way; the given graphs are untouched and
    the same arguments give the same numbers."""
    graph, data = task(kind, 64)
    data = data if labelled else Data(data.inputs)
    before = graph.clone()
    result = each.reach(graph, graph, data, 3, target)
    result.check()
    assert form(result) == form(target.apply(graph))
    assert same(graph, before)
    assert same(result, each.reach(graph, graph, data, 3, target))


@EVERY_SCHEDULE
def test_weights_that_are_cut_off_are_exactly_zero(each: Schedule) -> None:
    """As many as the target says, in every layer."""
    graph, data = task("values", 64)
    result = each.reach(graph, graph, data, 0, MaskTarget(0.25))
    for use in graph.weight_uses():
        mask = result.tensor(f"{use.weight}_mask")
        assert int(mask.sum()) == round(0.25 * mask.numel())


@EVERY_SCHEDULE
def test_it_ends_nearer_to_the_teacher_than_forms_alone(each: Schedule) -> None:
    """With eight epochs of fine-tuning at hand."""
    graph, data = captured("plain", 192)
    plan = schedule_of({"schedule": each.name, "settings": {"epochs": 8, "learning_rate": 3e-3}})
    result = plan.reach(graph, graph, data, 0, MaskTarget(0.1))
    assert loss(result, graph, data) < 0.95 * loss(MaskTarget(0.1).apply(graph), graph, data)


@EVERY_SCHEDULE
def test_one_sample_is_refused(each: Schedule) -> None:
    """It can't be trained on."""
    graph, data = task("values", 1)
    with pytest.raises(MethodError, match="1 are not enough, give at least 2"):
        each.reach(graph, graph, data, 0, MaskTarget())


@EVERY_SCHEDULE
def test_its_paper_is_named(each: Schedule) -> None:
    """The file's docstring cites a source with an arXiv number."""
    assert "arXiv" in str(sys.modules[type(each).__module__].__doc__)

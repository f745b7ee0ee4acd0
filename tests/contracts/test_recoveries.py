"""What every recovery promises, on classes, values and tokens: a new one is tested by its line in the catalogue."""

from __future__ import annotations

import sys

import pytest
import torch

from methods.base import Data, MethodError, Recovery
from methods.graph.ir import Graph
from methods.recovery.catalogue import RECOVERIES
from methods.weight_sharing import WeightSharing
from tests.methods.recovery.students import MaskTarget, captured, compressed, form, same, shaken, task

torch.set_num_threads(1)

EVERY_RECOVERY = pytest.mark.parametrize("each", RECOVERIES.values(), ids=lambda r: r.name)
EVERY_TASK = pytest.mark.parametrize("kind", ["classes", "values", "tokens"])
LABELS = pytest.mark.parametrize("labelled", [True, False], ids=["labels", "none"])


def formed(kind: str) -> tuple[Graph, Graph, Data]:
    """A shaken student with masks on all weights and a codebook on one, its teacher, and data."""
    teacher, data = task(kind)
    student = MaskTarget(0.5).apply(shaken(teacher))
    site = next(iter(teacher.weight_uses())).site
    return WeightSharing().apply(shaken(teacher), {site: 3}, data) if kind == "values" else student, teacher, data


@EVERY_RECOVERY
@EVERY_TASK
@LABELS
def test_only_numbers_change_and_only_in_the_new_graph(each: Recovery, kind: str, labelled: bool) -> None:
    """The same way every time; nodes, names and shapes stay, and the result is a sound graph."""
    student, teacher, data = formed(kind)
    data = data if labelled else Data(data.inputs)
    before = student.clone(), teacher.clone()
    result = each.recover(student, teacher, data, seed=3)
    result.check()
    assert form(result) == form(student)
    shapes = [{n: t.shape for n, t in g.module.state_dict().items()} for g in (result, student)]
    assert shapes[0] == shapes[1]
    assert same(student, before[0])
    assert same(teacher, before[1])
    assert same(result, each.recover(student, teacher, data, seed=3))


@EVERY_RECOVERY
@EVERY_TASK
def test_what_is_fixed_stays_fixed(each: Recovery, kind: str) -> None:
    """Masks and indices are the same numbers, so zeros stay exactly zero."""
    student, teacher, data = formed(kind)
    result = each.recover(student, teacher, data, seed=0)
    fixed = [name for name, _ in student.module.named_buffers() if "running" not in name and "num_batches" not in name]
    assert fixed
    assert all(torch.equal(result.tensor(name), student.tensor(name)) for name in fixed)


@EVERY_RECOVERY
@pytest.mark.parametrize("name", ["plain", "residual"])
def test_it_works_on_every_form_at_once(each: Recovery, name: str) -> None:
    """Pruned, shared and quantised."""
    teacher, data = captured(name)
    student = compressed(teacher, data)
    result = each.recover(student, teacher, data, seed=3)
    assert form(result) == form(student)
    result.check()


@EVERY_RECOVERY
def test_one_sample_is_refused_or_changes_nothing(each: Recovery) -> None:
    """With a message that says so."""
    student, teacher, data = formed("classes")
    result = outcome(each, student, teacher, data.head(1))
    assert same(result, student) if isinstance(result, Graph) else "1 are not enough, give at least 2" in result


def outcome(each: Recovery, student: Graph, teacher: Graph, data: Data) -> Graph | str:
    """The recovered graph, or what is said against it."""
    try:
        return each.recover(student, teacher, data, seed=0)
    except MethodError as error:
        return str(error)


@EVERY_RECOVERY
def test_its_paper_is_named(each: Recovery) -> None:
    """The file's docstring cites a source with an arXiv number."""
    assert "arXiv" in str(sys.modules[type(each).__module__].__doc__)

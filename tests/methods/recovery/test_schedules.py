"""Schedules: what each does on the way to the forms."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from methods.base import MethodError
from methods.graph.ir import Graph
from methods.recovery.admm import Admm
from methods.recovery.catalogue import schedule, schedule_of
from methods.recovery.distillation import Distillation
from methods.recovery.fine_tuning import FineTuning
from methods.recovery.gradual import Gradual
from methods.recovery.least_squares import LeastSquares
from methods.recovery.one_shot import OneShot
from methods.recovery.projected import Soft, StraightThrough
from tests.methods.recovery.students import CodebookTarget, MaskTarget, captured, loss, task


def nonzero(graph: Graph, name: str) -> int:
    masked = graph.tensor(name).detach() * graph.tensor(f"{name}_mask")
    return int(masked.count_nonzero())


def test_gradual_masks_only_grow() -> None:
    """Round by round along the cubic curve, the last with the forms complete and most of the epochs."""
    teacher, data = task("values")
    target, masks = MaskTarget(0.1), list[Tensor]()
    kept = target.apply

    class Watched:
        project = target.project

        def apply(self, graph: Graph, progress: float = 1.0) -> Graph:
            formed = kept(graph, progress)
            masks.append(formed.tensor("2.weight_mask").clone())
            return formed

    Gradual(FineTuning(epochs=8), rounds=4).reach(teacher, teacher, data, 0, Watched())
    assert target.asked == pytest.approx([1 - (1 - n / 4) ** 3 for n in range(1, 5)])
    shares = [float(mask.float().mean()) for mask in masks]
    assert shares == pytest.approx([1 - 0.9 * progress for progress in target.asked], abs=0.01)
    assert all(bool((after <= before).all()) for before, after in pairwise(masks))


@pytest.mark.parametrize(("epochs", "spent"), [(1, [1]), (2, [1, 1]), (3, [1, 1, 1]), (10, [2, 2, 2, 4])])
def test_gradual_spends_the_epochs_of_its_recovery(epochs: int, spent: list[int]) -> None:
    """No more and no fewer; with one epoch it is one-shot."""
    teacher, data = task("values")
    ends: list[int] = []
    told = FineTuning(epochs=epochs, patience=99, on_epoch=lambda done, of, loss: ends.append(of))
    target = MaskTarget()
    Gradual(told).reach(teacher, teacher, data, 0, target)
    assert len(ends) == sum(spent)
    assert [of for of in dict.fromkeys(ends)] == list(dict.fromkeys(spent))
    assert target.asked[-1] == 1.0
    assert len(target.asked) == len(spent)


def test_gradual_works_without_training() -> None:
    """Rounds of least squares."""
    teacher, data = task("values")
    target = MaskTarget()
    Gradual(LeastSquares(), rounds=3, curve="linear").reach(teacher, teacher, data, 0, target)
    assert target.asked == pytest.approx([1 / 3, 2 / 3, 1])


@pytest.mark.seed("admm-pruning")
@pytest.mark.parametrize("duals", [True, False])
def test_admm_is_at_the_forms_before_they_are_put_on(duals: bool) -> None:
    """The residual falls below a hundredth; afterwards each layer has exactly the wanted number of weights."""
    teacher, data = task("values", 256)
    residuals: list[float] = []
    walk = Admm(FineTuning(epochs=12, learning_rate=1e-2), duals=duals, on_residual=residuals.append)
    result = walk.reach(teacher, teacher, data, 0, MaskTarget(0.2))
    assert residuals[0] > 0.1
    assert residuals[-1] < 0.01
    for use in teacher.weight_uses():
        assert nonzero(result, use.weight) == round(0.2 * teacher.tensor(use.weight).numel())


@pytest.mark.seed("admm-low-bit")
def test_admm_takes_any_form() -> None:
    """With codebooks its residual falls as well, and the weights end as codebooks."""
    teacher, data = task("values", 256)
    residuals: list[float] = []
    walk = Admm(FineTuning(epochs=8, learning_rate=1e-2, batch=16), updates=20, on_residual=residuals.append)
    result = walk.reach(teacher, teacher, data, 0, CodebookTarget(2))
    assert residuals[-1] < 0.01
    assert len(result.tensor("2.weight.codebook")) == 4


def test_admm_beats_cutting_at_once_where_much_goes() -> None:
    """At a tenth of the weights, with as many epochs: thirty, since a way needs steps; the mean of three seeds."""
    teacher, data = task("values", 256)
    tuning = FineTuning(epochs=30, learning_rate=1e-2, patience=30)
    at_once, walked = (
        sum(loss(s.reach(teacher, teacher, data, seed, MaskTarget(0.1)), teacher, data) for seed in range(3))
        for s in (OneShot(tuning), Admm(tuning))
    )
    assert walked < at_once


@pytest.mark.seed("dynamic-network-surgery")
def test_straight_through_splices_weights_back() -> None:
    """Some weights that were cut off on the way are there in the end, and the weights end projected."""
    teacher, data = task("values", 256)
    seen: list[Tensor] = []

    class Watched(MaskTarget):
        def project(self, graph: Graph) -> dict[str, Tensor]:
            found = super().project(graph)
            seen.append(found["2.weight"] != 0)
            return found

    tuning = FineTuning(epochs=10, learning_rate=1e-2)
    result = StraightThrough(tuning).reach(teacher, teacher, data, 0, Watched(0.3))
    gone = ~torch.stack(seen).all(0)
    alive = result.tensor("2.weight_mask")
    assert int((gone & alive).sum()) > 0
    assert int(alive.sum()) == round(0.3 * 192)


@pytest.mark.seed("soft-filter-pruning")
def test_soft_lets_zeros_grow_again_between_epochs() -> None:
    """Projected after every epoch: some of an epoch's zeros are no longer among the next one's."""
    teacher, data = task("values", 256)
    zeros: list[Tensor] = []

    class Watched(MaskTarget):
        def project(self, graph: Graph) -> dict[str, Tensor]:
            found = super().project(graph)
            zeros.append(found["2.weight"] == 0)
            return found

    Soft(FineTuning(epochs=10, learning_rate=2e-2, batch=8)).reach(teacher, teacher, data, 0, Watched(0.3))
    assert len(zeros) == 1 + 6
    assert any(int((before & ~after).sum()) for before, after in pairwise(zeros))


def test_a_recipes_training_names_schedule_recovery_and_settings() -> None:
    """Each setting goes to whichever has it; what is left out is one-shot with fine-tuning."""
    made = schedule_of(
        {"schedule": "admm", "recovery": "distillation", "settings": {"epochs": 5, "pull": 0.01, "kind": "logits"}}
    )
    assert made == Admm(Distillation(epochs=5, kind="logits"), pull=0.01)
    assert schedule_of({}).name == "one-shot"


@pytest.mark.parametrize(
    ("training", "says"),
    [
        ({"schedule": "warp"}, "no schedule 'warp'; there are one-shot, gradual, admm"),
        ({"recovery": "hope"}, "no recovery 'hope'"),
        ({"settings": {"pull": 1.0}}, "one-shot with fine-tuning has no setting 'pull'; it has batch, clip"),
        ({"schedule": "admm", "recovery": "batch-norm"}, "'admm' trains, which the recovery 'batch-norm' doesn't"),
        ({"schedule": "gradual", "settings": {"curve": "wavy"}}, "'curve' must be one of cubic, linear"),
        ({"settings": {"epochs": "many"}}, "'epochs' must be"),
        ({"schdule": "admm"}, "has no part 'schdule'"),
    ],
)
def test_a_training_that_can_not_be_is_refused(training: dict[str, object], says: str) -> None:
    """Naming what is wrong, and what there is."""
    with pytest.raises(MethodError, match=says):
        schedule_of(training)


def test_batches_norms_and_all_reach_their_forms() -> None:
    """On a network with batch normalisation, by every schedule in the catalogue."""
    teacher, data = captured("residual", 64)
    for name in ("one-shot", "gradual", "admm", "straight-through", "soft"):
        result = schedule(name).reach(teacher, teacher, data, 0, MaskTarget(0.5))
        assert {use.weight + "_mask" for use in teacher.weight_uses()} <= dict(result.module.named_buffers()).keys()

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hwmodels.base import HardwareModelError
from hwmodels.basis import Basis
from hwmodels.calibrating import Sample, accuracy, fit, kendall_tau, margin
from hwmodels.calibration import BadCalibration, Calibration

TRUE = {"Conv": 1.1, "Gemm": 0.9, "call": 2.0}


def made_up(count: int, seed: int = 0, noise: float = 0.0) -> list[Sample]:
    """Networks whose times follow known factors, in two families that are strong in one operator each."""
    random = np.random.default_rng(seed)
    samples = []
    for number in range(count):
        heavy = (3e-4, 1e-4) if number % 2 else (1e-4, 3e-4)
        parts = {"Conv": heavy[0] * random.uniform(0.2, 2), "Gemm": heavy[1] * random.uniform(0.2, 2)}
        parts["call"] = 2e-5 * random.uniform(0.9, 1.1)
        truth = sum(TRUE[kind] * part for kind, part in parts.items()) * (1.0 + noise * random.standard_normal())
        samples.append(Sample("odd" if number % 2 else "even", parts, truth))
    return samples


def test_known_factors_are_found() -> None:
    """From networks that follow factors exactly, those of operators that make most of their time come back."""
    found = fit(made_up(40))
    assert found.factors["Conv"] == pytest.approx(1.1, rel=5e-3)
    assert found.factors["Gemm"] == pytest.approx(0.9, rel=5e-3)
    assert found.mean < 5e-3
    assert found.tau > 0.99
    assert (found.networks, found.families) == (40, ("even", "odd"))


def test_what_was_never_seen_keeps_the_shared_factor() -> None:
    """An operator type that no network had is stretched like all others together."""
    found = fit(made_up(40))
    assert found.factor("Softmax") == found.other
    assert 0.9 < found.other < 1.2
    assert found.latency_s({"Softmax": 1e-3}) == pytest.approx(found.other * 1e-3)


def test_an_operator_that_hardly_counts_stays_near_the_others() -> None:
    """One that makes a thousandth of one network's time can't have a wild factor, however noisy that network was."""
    samples = made_up(20, noise=0.01)
    first = samples[0]
    samples[0] = Sample(first.family, first.parts | {"Rare": 1e-3 * first.truth_s}, 1.03 * first.truth_s)
    found = fit(samples)
    assert abs(found.factors["Rare"] / found.other - 1.0) < 0.2


def test_factors_are_never_negative() -> None:
    """More of an operator never makes a network faster, even where the samples say so."""
    samples = [Sample("one", {"A": 1e-3, "B": n * 1e-4}, 1e-3 - n * 5e-5) for n in range(8)]
    assert min(fit(samples).factors.values()) >= 0.0


def test_errors_are_those_of_networks_left_out() -> None:
    """As many operator types as networks explain every network in the fit, and none that is left out."""
    random = np.random.default_rng(1)
    samples = [Sample("one", {f"Op{n}": 1e-3}, 1e-3 * random.uniform(0.5, 1.5)) for n in range(12)]
    found = fit(samples)
    explained = [abs(found.latency_s(s.parts) / s.truth_s - 1.0) for s in samples]
    assert max(explained) < 0.01
    assert found.mean > 0.1


def test_a_family_left_out_is_harder_than_a_network() -> None:
    """Where families differ by more than their operators say, the error on a family left out shows it."""
    samples = [Sample(s.family, s.parts, s.truth_s * (1.2 if s.family == "odd" else 1.0)) for s in made_up(40)]
    found = fit(samples)
    assert found.family_mean > 2.0 * found.mean
    assert fit(made_up(8)[::2]).family_mean == 0.0


def test_the_margin_holds_for_new_networks() -> None:
    """Of 2000 networks that follow the same law, about 95 in 100 take no longer than prediction and margin."""
    found = fit(made_up(100, noise=0.02))
    new = made_up(2000, seed=5, noise=0.02)
    within = [s.truth_s <= found.latency_s(s.parts) * (1.0 + found.margin) for s in new]
    assert 0.90 < np.mean(within) < 0.995
    assert margin(np.array([2.0, 2.0]), np.array([1.0, 1.0])) == 0.0


def test_accuracy_is_counted_right() -> None:
    """Mean, the error that nine of ten stay within, the worst, and tau with one pair of six turned round."""
    found = accuracy(np.array([1.1, 2.0, 2.9, 4.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert found.mean == pytest.approx((0.1 + 0.1 / 3) / 4)
    assert found.p90 == found.worst == pytest.approx(0.1)
    assert kendall_tau(np.array([1.0, 2, 4, 3]), np.array([1.0, 2, 3, 4])) == pytest.approx(4 / 6)
    assert kendall_tau(np.ones(3), np.arange(3.0)) == 0.0


def test_a_slower_machine_scales_everything() -> None:
    """Rescaling multiplies every prediction, also of types never seen, and leaves the errors."""
    found = fit(made_up(20))
    slower = found.scaled(1.25)
    parts = {"Conv": 1e-3, "New": 1e-3}
    assert slower.latency_s(parts) == pytest.approx(1.25 * found.latency_s(parts))
    assert (slower.margin, slower.mean) == (found.margin, found.mean)


def test_json_gives_the_same_calibration_back() -> None:
    """What is stored is read again without loss."""
    found = replace(fit(made_up(10)), basis=Basis(15e-6, 45e-6, 0.5))
    assert Calibration.from_json(found.to_json()) == found


def test_a_calibration_from_before_there_was_a_basis_is_read() -> None:
    """Its rows are taken as they were measured."""
    found = fit(made_up(10))
    assert Calibration.from_json({k: v for k, v in found.to_json().items() if k != "basis"}) == found
    assert found.basis == Basis()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"margin": -0.1}, "margin"),
        ({"factors": {"Conv": float("nan")}}, "Conv"),
        ({"factors": [1.0]}, "factors"),
        ({"tau": "high"}, "tau"),
        ({"families": [1]}, "families"),
        ({"networks": 2.5}, "networks"),
        ({"created": None}, "created"),
        ({"unseen": [["plain", 1.0]]}, "unseen"),
        ({"unseen": [[1, 1.0, 1.0]]}, "family"),
        ({"unseen": [["plain", 1.0, -1.0]]}, "measured time"),
        ({"surprise": 1}, "exactly"),
        ({"basis": {"gauge_s": 1.0}}, "basis"),
    ],
)
def test_impossible_calibrations_are_refused(change: dict[str, Any], said: str) -> None:
    """The message names what is wrong."""
    with pytest.raises(HardwareModelError, match=said):
        Calibration.from_json(fit(made_up(5)).to_json() | change)


@pytest.mark.parametrize(
    "samples",
    [
        [],
        made_up(2),
        [Sample("one", {"Conv": 1e-3}, 0.0)] * 3,
        [Sample("one", {"Conv": -1e-3, "Gemm": 2e-3}, 1e-3)] * 3,
        [Sample("one", {}, 1e-3)] * 3,
    ],
)
def test_what_cannot_be_fitted_is_refused(samples: list[Sample]) -> None:
    """Too few networks, and times that can't be."""
    with pytest.raises(BadCalibration):
        fit(samples)


def test_a_network_that_was_disturbed_hardly_bends_the_factors() -> None:
    """One measurement of thirty that is half as long again moves no factor by more than a hundredth."""
    generator = np.random.default_rng(0)
    parts = [{"Conv": float(a), "Gemm": float(b)} for a, b in generator.uniform(0.2, 1.0, (30, 2))]
    samples = [Sample("plain", part, 1.2 * part["Conv"] + 0.8 * part["Gemm"]) for part in parts]
    samples[3] = replace(samples[3], truth_s=1.5 * samples[3].truth_s)
    found = fit(samples)
    assert found.factors["Conv"] == pytest.approx(1.2, rel=0.01)
    assert found.factors["Gemm"] == pytest.approx(0.8, rel=0.01)
    assert found.worst > 0.3

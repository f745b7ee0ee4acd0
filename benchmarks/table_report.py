"""What `benchmarks.table_error` says of one table: errors by family and predictor, what the networks' own measurement
repeats within, and where the worst ones spend their time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.error_lines import line
from benchmarks.onnx_counts import count
from benchmarks.rivals import RIVALS
from hwmodels.base import Measurement
from hwmodels.calibrating import Sample, fit, kendall_tau
from hwmodels.calibration import Calibration
from hwmodels.disturbed import NOISY
from hwmodels.networks.catalogue import FAMILIES
from hwmodels.parts import BEYOND
from hwmodels.profile import Case

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Tried:
    """One unseen network: as the table has it beside what it takes on the table's basis; as measured; `again_s` once
    more by another process, on that basis."""

    case: Case
    sample: Sample
    measured: Measurement
    rows_noise: float
    again_s: float


def report(
    calibration: Calibration, samples: Sequence[Sample], tried: Sequence[Tried], batch: int, seed: int
) -> list[dict[str, Any]]:
    """Prints the errors of all predictors; returns them."""
    truth = np.array([t.sample.truth_s for t in tried])
    families = np.array([t.case.family for t in tried])
    ours = np.array([calibration.latency_s(t.sample.parts) for t in tried])
    raw = np.array([sum(s for kind, s in t.sample.parts.items() if not kind.startswith(BEYOND)) for t in tried])
    rows = [line("table, calibrated", ours, truth), line("table, as it is", raw, truth)]
    rows.append(line("calibrated, any clock", ours, np.array([t.measured.latency_s for t in tried])))
    rows += by_family(ours, truth, families)
    rows += undisturbed(tried, ours, truth) + repeated(tried, truth, families)
    if len(set(families)) > 1:
        strangers = np.array([_stranger(samples, t.case.family).latency_s(t.sample.parts) for t in tried])
        rows += [line("family left out", strangers, truth), *by_family(strangers, truth, families)]
    first_seeds = len(tried) // len(set(families))
    counts = [count(FAMILIES[t.case.family](seed + n % first_seeds), batch) for n, t in enumerate(tried)]
    rows += [line(name, rival(counts, truth), truth) for name, rival in RIVALS.items()]
    for n in sorted(range(len(tried)), key=lambda n: -abs(ours[n] / truth[n] - 1.0))[:3]:
        _explain(tried[n], ours[n] / truth[n] - 1.0, calibration)
    return rows


def by_family(predicted: Array, truth: Array, families: NDArray[np.str_]) -> list[dict[str, Any]]:
    """A line for each family, in their order."""
    return [line(f"  {name}", predicted[families == name], truth[families == name]) for name in dict.fromkeys(families)]


def undisturbed(tried: Sequence[Tried], ours: Array, truth: Array) -> list[dict[str, Any]]:
    """The networks that nothing disturbed, nodes and whole: tells the model's error from noise."""
    noise = np.array([max(t.measured.disagreement, t.rows_noise) for t in tried])
    quiet = noise <= NOISY
    related = kendall_tau(noise, np.abs(ours / truth - 1.0))
    print(
        f"  noise of networks and rows: median {np.median(noise):.1%}, most {noise.max():.0%}; it ranks like errors by",
        end=" ",
    )
    print(f"tau {related:.2f}")
    return [line(f"  noise <= {NOISY:.0%}", ours[quiet], truth[quiet])] if quiet.sum() > 1 else []


def repeated(tried: Sequence[Tried], truth: Array, families: NDArray[np.str_]) -> list[dict[str, Any]]:
    """How far the same networks are from themselves in another process: what no predictor can be better than."""
    again = np.array([t.again_s for t in tried])
    return [line("measured by another process", again, truth), *by_family(again, truth, families)]


_FITTED: dict[tuple[int, str], Calibration] = {}


def _stranger(samples: Sequence[Sample], family: str) -> Calibration:
    """The calibration without a family."""
    key = (id(samples), family)
    if key not in _FITTED:
        others = [sample for sample in samples if sample.family != family]
        _FITTED[key] = fit(others if len(others) > 2 else samples)
    return _FITTED[key]


def _explain(tried: Tried, error: float, calibration: Calibration) -> None:
    """A network far off: how well it repeats, and where its time goes."""
    shares = {kind: calibration.factor(kind) * s / tried.sample.truth_s for kind, s in tried.sample.parts.items()}
    most = sorted(shares, key=lambda kind: -shares[kind])[:3]
    parts = ", ".join(
        f"{kind.rpartition('.')[2]} {shares[kind]:.0%} (x{calibration.factor(kind):.2f})" for kind in most
    )
    apart = tried.again_s / tried.sample.truth_s - 1.0
    print(
        f"    worst: {tried.case.family} of {1e3 * tried.sample.truth_s:.3f} ms, {error:+.2%}; it repeats within",
        end=" ",
    )
    print(f"{tried.measured.disagreement:.2%}, in another process {apart:+.2%}, its rows within", end=" ")
    print(f"{tried.rows_noise:.2%}; {parts}")

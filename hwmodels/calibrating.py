"""fit: by how much the parts of a sum of nodes have to be stretched to give whole networks.

A node alone finds its weights in the nearest cache and the runtime idle; inside a network both are different, and much
the same for all nodes of a type. So every operator type of the runtime gets one factor, fitted to networks that were
measured as a whole: non-negative least squares on relative errors (Lawson and Hanson, "Solving Least Squares
Problems", 1974, ch. 23), with a weak pull to the factor that all types share, which decides where few networks have
a type. How right it is, is said by networks that the fit has not seen, one left out at a time; so is the margin, by
which no more than one network in twenty exceeds its prediction (jackknife: Barber et al., 2021, arXiv 1905.02928).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwmodels.calibration import BadCalibration, Calibration, usual
from hwmodels.parts import BEYOND

Array = NDArray[np.float64]

PULL, DIFFER = 0.02, 0.12
"""Weight of the pull: noise of networks over what factors of types differ by. It is no less than the first, and noise
is the median error of the fit. With a fixed 0.02 networks of families that a fit has not seen are twice as far off (5.0
instead of 2.7 %, two recordings on an EPYC of 2024), and those of families that it has as far."""

DOUBT = 0.05
"""Weight of the pull to 0 of parts for larger caches: families with few large weights fit noise with them, by which
networks of many were 18 % off where none of these had been seen, and are 15 % with this; twice as much makes it 6 %,
but hides a cache that seven networks show."""

DISTURBED = 0.05
"""Relative error from which on a network counts for less (Huber's weights): something else ran when it was measured."""

ROUNDS = 4
"""Fits, each with the weights that the errors of the one before give."""

CONFIDENCE = 0.95
"""Share of networks that stay within the margin."""


@dataclass(frozen=True)
class Sample:
    """One network: seconds by operator type as the table has them (with `call`), and seconds as measured."""

    family: str
    parts: Mapping[str, float]
    truth_s: float


@dataclass(frozen=True)
class Accuracy:
    """Relative errors on networks that the fit has not seen, and how well it ranks them (Kendall's tau-b)."""

    mean: float
    p90: float
    worst: float
    tau: float


def fit(samples: Sequence[Sample]) -> Calibration:
    """Factors fitted to all samples, with the errors and the margin of samples left out.

    Raises BadCalibration for fewer than three networks, and for impossible times.
    """
    _check(samples)
    truth = np.array([sample.truth_s for sample in samples])
    unseen = np.array([_without(samples, {n})(samples[n]) for n in range(len(samples))])
    families = tuple(dict.fromkeys(sample.family for sample in samples))
    factors, other = _factors(samples)
    found = accuracy(unseen, truth)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    strangers = _family_mean(samples, families, truth)
    return Calibration(
        factors,
        other,
        margin(unseen, truth),
        **asdict(found),
        family_mean=strangers,
        networks=len(samples),
        families=families,
        created=created,
        unseen=tuple(zip((sample.family for sample in samples), unseen.tolist(), truth.tolist())),
    )


def accuracy(predicted: Array, truth: Array) -> Accuracy:
    """How far predictions are from the truth. Both in seconds, one per network."""
    errors = np.abs(predicted / truth - 1.0)
    p90 = float(np.quantile(errors, 0.9, method="higher"))
    return Accuracy(float(errors.mean()), p90, float(errors.max()), kendall_tau(predicted, truth))


def margin(predicted: Array, truth: Array) -> float:
    """The share of its prediction that a network exceeds it by, in no more than one case in twenty; 0 or more."""
    over = np.sort(truth / predicted - 1.0)
    rank = math.ceil(CONFIDENCE * (len(over) + 1))
    return max(0.0, float(over[min(rank, len(over)) - 1]))


def kendall_tau(first: Array, second: Array) -> float:
    """Kendall's tau-b of two rankings; 1 where they agree, 0 for constants."""
    one, other = (np.sign(np.subtract.outer(values, values)) for values in (first, second))
    scale = math.sqrt(float(np.abs(one).sum()) * float(np.abs(other).sum()))
    return float((one * other).sum()) / scale if scale else 0.0


def _check(samples: Sequence[Sample]) -> None:
    if len(samples) < 3:
        raise BadCalibration(f"a calibration needs at least three networks, not {len(samples)}")
    for sample in samples:
        times = (sample.truth_s, sum(sample.parts.values()))
        if not all(math.isfinite(t) and t > 0 for t in times) or min(sample.parts.values(), default=0.0) < 0:
            raise BadCalibration(f"a network of family {sample.family} has impossible times: {times}")


def _without(samples: Sequence[Sample], left_out: set[int]) -> Any:
    """A prediction fitted to all samples but some."""
    factors, other = _factors([sample for n, sample in enumerate(samples) if n not in left_out])
    return lambda sample: sum(factors.get(kind, usual(kind, other)) * part for kind, part in sample.parts.items())


def _family_mean(samples: Sequence[Sample], families: Iterable[str], truth: Array) -> float:
    """Mean error on families that the fit hasn't seen; 0 where there is only one."""
    groups = [{n for n, sample in enumerate(samples) if sample.family == family} for family in families]
    if len(groups) < 2:
        return 0.0
    predictions = np.zeros(len(samples))
    for group in groups:
        predict = _without(samples, group)
        for n in group:
            predictions[n] = predict(samples[n])
    return accuracy(predictions, truth).mean


def _factors(samples: Sequence[Sample]) -> tuple[dict[str, float], float]:
    """Factors by operator type, and the one that all of them share."""
    from scipy.optimize import nnls  # takes most of a second to import, and reading a calibration doesn't need it

    kinds = sorted({kind for sample in samples for kind in sample.parts})
    shares = np.array([[sample.parts.get(kind, 0.0) / sample.truth_s for kind in kinds] for sample in samples])
    sums = shares[:, [not kind.startswith(BEYOND) for kind in kinds]].sum(axis=1)
    shared = float(sums.sum() / (sums @ sums))
    expected = np.array([usual(kind, shared) for kind in kinds])
    doubted = np.array([kind.startswith(BEYOND) for kind in kinds])
    trust, found, pull = np.ones(len(samples)), expected, PULL
    for _ in range(ROUNDS):
        pulls = np.where(doubted, DOUBT, pull)
        full = np.vstack([shares * trust[:, None], np.diag(pulls)])
        found, _ = nnls(full, np.concatenate([trust, pulls * expected]))
        errors = np.abs(shares @ found - 1.0)
        trust = np.sqrt(DISTURBED / np.maximum(DISTURBED, errors))
        pull = max(PULL, float(np.median(errors)) / DIFFER)
    return dict(zip(kinds, map(float, found))), shared

"""Four disjoint splits of a Dataset: to train on, to steer the search, to choose the winner, and to report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from methods.base import Data
from search.datasets.dataset import Array, DataError, Dataset, Labels, Part

Index = NDArray[np.int64]
SHARES = {"train": 0.60, "reward": 0.12, "choice": 0.12, "report": 0.16}
LEAST = {"train": 16, "reward": 6, "choice": 6, "report": 8}
"""Fewest samples that each split is worth making with."""


@dataclass(frozen=True)
class Splits:
    """No sample is in two of them; each is in an order whose every beginning holds the classes in proportion."""

    train: Data
    reward: Data
    choice: Data
    report: Data


def split(dataset: Dataset, seed: int, dtypes: Sequence[torch.dtype | str] = ()) -> Splits:
    """Splits by class where each sample has one; the same seed gives the same splits.

    Shares are 60, 12, 12 and 16 %, more where a small set needs it; a test part of the user's own is the report split,
    and the rest is shared among the others.

    Args:
        dtypes: what the model's inputs are (`float32`, ...); without, floats are float32 and integers int64.

    Raises DataError for too few samples, saying how many are needed, and for fractions where integers are wanted.
    """
    names = list(SHARES) if dataset.test is None else [name for name in SHARES if name != "report"]
    sizes = _sizes(dataset, names)
    order = _spread(dataset.labels, len(dataset), np.random.default_rng([seed, 0]))
    whole, made = Part(dataset.inputs, dataset.labels), {}
    for name, index in zip(names, np.split(order, np.cumsum(sizes)[:-1])):
        made[name] = _data(_take(whole, index, seed), dtypes)
    if dataset.test is not None:
        made["report"] = _data(_take(dataset.test, np.arange(len(dataset.test)), seed), dtypes)
    return Splits(**made)


def _sizes(dataset: Dataset, names: Sequence[str]) -> list[int]:
    """Samples per split, `train` taking what the others leave."""
    count, share = len(dataset), sum(SHARES[name] for name in names)
    needed = sum(LEAST[name] for name in names)
    if count < needed:
        detail = ", ".join(f"{name} {LEAST[name]}" for name in names)
        raise DataError(
            f"{dataset.name} has {count} samples but its splits need at least {needed} ({detail}); add more"
        )
    if dataset.test is not None and len(dataset.test) < LEAST["report"]:
        raise DataError(
            f"the test part of {dataset.name} has {len(dataset.test)} samples but the report needs at least "
            f"{LEAST['report']}; add more, or leave the test part out"
        )
    rest = [max(LEAST[name], round(count * SHARES[name] / share)) for name in names[1:]]
    return [count - sum(rest), *rest]


def _spread(labels: Labels | None, count: int, random: np.random.Generator) -> Index:
    """An order in which every stretch holds the classes in proportion, as far as whole samples allow.

    Each class is shuffled and laid out evenly over 0 to 1 from a random start; reading all of them from left to right
    gives the order (systematic sampling, Madow 1949). Without one class per sample it is a plain shuffle.
    """
    if labels is None or labels.ndim != 1 or labels.dtype.kind == "f":
        return random.permutation(count)
    place = np.empty(count)
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        place[members] = (np.arange(len(members)) + random.random()) / len(members)
    return np.argsort(place, kind="stable")


def _take(part: Part, index: Index, seed: int) -> Part:
    labels = None if part.labels is None else part.labels[index]
    index = index[_spread(labels, len(index), np.random.default_rng([seed, 1]))]
    return Part(tuple(x[index] for x in part.inputs), None if part.labels is None else part.labels[index])


def _data(part: Part, dtypes: Sequence[torch.dtype | str]) -> Data:
    wanted = [*dtypes, *[None] * (len(part.inputs) - len(dtypes))]
    inputs = tuple(_tensor(x, dtype) for x, dtype in zip(part.inputs, wanted))
    return Data(inputs, None if part.labels is None else torch.from_numpy(part.labels))


def _tensor(x: Array, wanted: torch.dtype | str | None) -> Tensor:
    dtype = getattr(torch, wanted) if isinstance(wanted, str) else wanted
    if dtype is None:
        dtype = {"f": torch.float32, "b": torch.bool}.get(x.dtype.kind, torch.int64)
    whole = not (dtype.is_floating_point or dtype.is_complex)
    if whole and x.dtype.kind == "f" and not np.array_equal(x, np.floor(x)):
        raise DataError(f"the samples hold fractions but the model takes integers ({dtype}); save integers")
    return torch.from_numpy(x if x.dtype.kind != "u" else x.astype(np.int64)).to(dtype)

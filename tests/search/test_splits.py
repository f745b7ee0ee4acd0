"""Four disjoint splits that hold the classes in proportion and depend on the seed alone."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.base import Data
from search.data import DataError, Dataset, Part, load_dataset
from search.splits import SHARES, Splits, split

DIGITS = load_dataset("digits")
assert DIGITS.labels is not None
LABELS = DIGITS.labels
NUMBERED = replace(DIGITS, inputs=(*DIGITS.inputs, np.arange(1797)))
"""The digits with each sample's number as a second input, to follow where it goes."""


def first(count: int, labels: bool = True) -> Dataset:
    """The first digits, with their numbers."""
    return Dataset("few", tuple(x[:count] for x in NUMBERED.inputs), LABELS[:count] if labels else None)


def parts(splits: Splits) -> list[Data]:
    """Train, reward, choice and report, in this order."""
    return [getattr(splits, field.name) for field in fields(splits)]


def numbers(data: Data) -> list[int]:
    """Which samples these are."""
    return data.inputs[1].tolist()


@settings(max_examples=40, deadline=None)
@given(st.integers(36, 1797), st.integers(0, 2**32), st.booleans())
def test_every_sample_is_in_one_split(count: int, seed: int, labels: bool) -> None:
    """Disjoint and complete, each with the labels that belong to its samples."""
    splits = parts(split(first(count, labels), seed))
    assert sorted(n for data in splits for n in numbers(data)) == list(range(count))
    for data in splits:
        assert (data.labels is None) == (not labels)
        assert data.labels is None or data.labels.tolist() == LABELS[numbers(data)].tolist()


def test_shares_are_60_12_12_16() -> None:
    """Of 1,797 digits."""
    assert [len(data) for data in parts(split(NUMBERED, 0))] == [1077, 216, 216, 288]


@pytest.mark.parametrize("seed", range(5))
def test_classes_are_held_in_proportion(seed: int) -> None:
    """Every class has its share of every split, give or take two samples, and of the first half of a split as well."""
    whole = np.bincount(LABELS)
    for data, share in zip(parts(split(NUMBERED, seed)), SHARES.values(), strict=True):
        assert data.labels is not None
        counts = np.bincount(data.labels)
        assert np.abs(counts - whole * share).max() <= 2
        half = np.bincount(data.labels[: len(data) // 2])
        assert np.abs(half - counts / 2).max() <= 2


def test_the_seed_decides() -> None:
    """The same seed gives the same splits, another one others."""
    one, same, other = (numbers(split(NUMBERED, seed).train) for seed in (3, 3, 4))
    assert one == same
    assert sorted(one) != sorted(other)


def test_a_rare_class_does_not_stop_the_split() -> None:
    """Two samples of a class can't be in four splits, but the rest still can."""
    labels = np.where(np.arange(1797) < 2, 11, LABELS)
    assert [len(data) for data in parts(split(replace(NUMBERED, labels=labels), 0))] == [1077, 216, 216, 288]


def test_a_test_part_is_the_report() -> None:
    """The user's own test part is reported on, whole, and nothing else is."""
    test = Part(tuple(x[1000:] for x in NUMBERED.inputs), LABELS[1000:])
    splits = split(replace(first(1000), test=test), 0)
    assert sorted(numbers(splits.report)) == list(range(1000, 1797))
    assert [len(data) for data in parts(splits)] == [714, 143, 143, 797]


def test_too_few_samples_are_counted() -> None:
    """How many are needed, and how many there are."""
    with pytest.raises(DataError, match=r"few has 35 samples but its splits need at least 36 \(train 16, reward 6, "):
        split(first(35), 0)
    assert [len(data) for data in parts(split(first(36), 0))] == [16, 6, 6, 8]


def test_too_small_a_test_part_is_counted() -> None:
    """The report needs its eight samples as well."""
    test = Part(tuple(x[:7] for x in NUMBERED.inputs), LABELS[:7])
    with pytest.raises(DataError, match="the test part of few has 7 samples but the report needs at least 8"):
        split(replace(first(100), test=test), 0)


def test_samples_come_in_the_types_that_the_model_takes() -> None:
    """Integers may become floats; fractions never become integers."""
    words = Dataset("words", ((DIGITS.inputs[0][:60] * 16).astype(np.uint8),))
    assert split(words, 0).train.inputs[0].dtype == torch.int64
    assert split(words, 0, ["float32"]).train.inputs[0].dtype == torch.float32
    with pytest.raises(DataError, match="hold fractions but the model takes integers"):
        split(DIGITS, 0, ["int64"])


@pytest.mark.parametrize("labels", [LABELS / 7, np.stack([LABELS, LABELS % 3], 1)], ids=["values", "tokens"])
def test_labels_that_are_no_classes_of_samples_stay_with_theirs(labels: np.ndarray[Any, Any]) -> None:
    """Values and labels per token are shuffled plainly, in their own type."""
    typed: Any = labels.astype(np.float32 if labels.ndim == 1 else np.int64)
    splits = parts(split(replace(NUMBERED, labels=typed), 0))
    assert sorted(n for data in splits for n in numbers(data)) == list(range(1797))
    for data in splits:
        assert data.labels is not None
        assert data.labels.dtype == (torch.float32 if labels.ndim == 1 else torch.int64)
        assert np.allclose(data.labels.numpy(), labels[numbers(data)])

"""From arrays as they were found to a Dataset that can be trusted: counts, shapes, NaN."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from search.datasets.dataset import Array, DataError, Dataset, Labels, Part

Found = tuple[Sequence[Array], Array | None]
"""Inputs and labels as they were found, unchecked."""


def make_dataset(name: str, train: Found, test: Found | None = None) -> Dataset:
    """A checked Dataset from (inputs, labels) as they were found; floats become float32, whole-numbered labels int64.

    Raises DataError for no samples, counts that differ, NaN, labels that are no numbers or all the same.
    """
    part = _part(train, "_train" if test else "")
    labels = part.labels
    if labels is not None and (labels == labels.flat[0]).all():
        what = "class" if labels.dtype.kind == "i" else "value"
        raise DataError(
            f"all {labels.size} labels of {name} are {labels.flat[0]}, and one {what} can't be told from others; "
            "add samples with other labels, or leave the labels out to score agreement with the original model"
        )
    other = None if test is None else _part(test, "_test")
    if other is not None:
        _check_alike(part, other)
    return Dataset(name, part.inputs, labels, other)


def _part(found: Found, suffix: str) -> Part:
    names = [f"x{i}{suffix}" for i in range(len(found[0]))] if len(found[0]) > 1 else [f"x{suffix}"]
    inputs = tuple(_samples(name, x) for name, x in zip(names, found[0]))
    for name, x in zip(names[1:], inputs[1:]):
        if len(x) != len(inputs[0]):
            raise DataError(f"{names[0]} has {len(inputs[0])} samples but {name} has {len(x)}")
    labels = None if found[1] is None else _labels(f"y{suffix}", found[1])
    if labels is not None and len(labels) != len(inputs[0]):
        raise DataError(f"{names[0]} has {len(inputs[0])} samples but y{suffix} has {len(labels)} labels")
    return Part(inputs, labels)


def _samples(name: str, x: Array) -> Array:
    if x.dtype.kind not in "fiub":
        raise DataError(f"{name} holds {x.dtype}, but a model takes numbers: floats or integers")
    if x.ndim == 0 or x.size == 0:
        raise DataError(f"{name} is empty, its shape is {list(x.shape)}; it should be [samples, ...]")
    if x.dtype.kind != "f":
        return x.astype(x.dtype.newbyteorder("="), copy=False)
    with np.errstate(over="ignore"):
        x = x.astype(np.float32, copy=False)
    bad = [i for start, block in _blocks(x) for i in start + np.flatnonzero(~np.isfinite(block).all(axis=1))]
    if bad:
        more = f" (and {len(bad) - 1} more samples)" if len(bad) > 1 else ""
        raise DataError(f"sample {bad[0]} of {name} holds NaN or infinite values{more}; repair it or leave it out")
    return x


def _blocks(x: Array, rows: int = 4096) -> Iterator[tuple[int, NDArray[np.float32]]]:
    for start in range(0, len(x), rows):
        yield start, np.asarray(x[start : start + rows], np.float32).reshape(len(x[start : start + rows]), -1)


def _labels(name: str, y: Array) -> Labels:
    """Labels of any shape `[n, ...]`; what they mean is settled where a model is known."""
    if y.dtype.kind not in "fiub":
        raise DataError(f"{name} holds {y.dtype}, but labels are numbers: classes from 0 on, or values to reach")
    if y.ndim == 0 or y.size == 0:
        raise DataError(f"{name} is empty, its shape is {list(y.shape)}; it should be [samples] or [samples, ...]")
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    with np.errstate(over="ignore"):
        values = y.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(values).reshape(len(y), -1).all(axis=1))
    if len(bad):
        raise DataError(f"label {bad[0]} of {name} holds NaN or infinite values; repair it or leave the sample out")
    whole = bool((np.abs(values) < 2**31).all()) and (y.dtype.kind != "f" or np.array_equal(y, np.floor(y)))
    return y.astype(np.int64) if whole else values


def _check_alike(train: Part, test: Part) -> None:
    if (train.labels is None) != (test.labels is None):
        raise DataError(f"{'y_test' if test.labels is None else 'y_train'} is missing: label both parts or neither")
    one, other = ([list(x.shape[1:]) for x in part.inputs] for part in (train, test))
    if one != other:
        raise DataError(f"samples of x_train are {one} but samples of x_test are {other}")
    if train.labels is not None and test.labels is not None and train.labels.shape[1:] != test.labels.shape[1:]:
        one, other = (list(part.labels.shape[1:]) for part in (train, test) if part.labels is not None)
        raise DataError(f"labels in y_train are {one} for one sample but labels in y_test are {other}")

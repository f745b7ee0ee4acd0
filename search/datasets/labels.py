"""What the labels of a Dataset are for one model: classes, or values that its output should reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from search.datasets.dataset import DataError, Dataset, Labels

Shape = tuple[int, ...]
LEFT_OUT = "or leave the labels out to score agreement with the original model"


def fit_labels(dataset: Dataset, output: Sequence[int]) -> Dataset:
    """The same data with labels as `methods.losses` takes them: int64 for classes, float32 for values.

    The shape decides, whatever the dtype: one number for each row of scores is a class (`[n]` for outputs
    `[n, classes]`, `[n, tokens]` for `[n, tokens, classes]`, `[n, h, w]` for `[n, classes, h, w]`), one for each number
    of the output is a value to reach. Axes of length one don't matter. A token or pixel whose class is negative isn't
    counted; whole samples without a label are left out by whoever saves the data.

    Args:
        output: the shape of the model's first output for one sample.

    Raises DataError, with the remedy, for labels that fit neither way, and for class numbers that can't be.
    """
    if dataset.labels is None:
        return dataset
    sample, shape = dataset.labels.shape[1:], tuple(output)
    axis = _class_axis(sample, shape)
    if axis is None and _long(sample) != _long(shape):
        raise DataError(_neither(dataset.name, sample, shape))
    read = [
        _values(dataset.name, p.labels, shape) if axis is None else _classes(dataset.name, p.labels, shape, axis)
        for p in dataset.parts
        if p.labels is not None
    ]
    if axis is not None:
        _check_several(dataset.name, read[0])
    return replace(dataset, labels=read[0], test=dataset.test and replace(dataset.test, labels=read[1]))


def _class_axis(sample: Shape, output: Shape) -> int | None:
    """The axis of a sample's output over which there is one label; where two fit, as `losses.class_axis` has it."""
    axes = [axis for axis, length in enumerate(output) if axis in (0, len(output) - 1) and length > 1]
    axes = axes[::-1] if len(output) == 2 else axes
    return next((axis for axis in axes if _long(_without(output, axis)) == _long(sample)), None)


def _classes(name: str, found: Labels, output: Shape, axis: int) -> Labels:
    labels, count = found.reshape(len(found), *_without(output, axis)), output[axis]
    wrong = (labels != np.floor(labels)) | (np.abs(labels) >= 2**31) | ((labels < 0) & (labels.ndim == 1))
    if wrong.any():
        raise DataError(
            f"label {int(np.argwhere(wrong)[0][0])} of {name} is {labels[wrong][0]}, but labels are class numbers: "
            f"integers from 0 to {count - 1}, the model tells {count} classes apart"
        )
    if labels.max() >= count:
        raise DataError(
            f"labels of {name} go up to {int(labels.max())} but the model tells {count} classes apart, "
            f"numbered 0 to {count - 1}"
        )
    if labels.max() < 0:
        raise DataError(f"all labels of {name} are negative, and such labels aren't counted; add some, {LEFT_OUT}")
    return labels.astype(np.int64)


def _check_several(name: str, labels: Labels) -> None:
    known = labels[labels >= 0]
    if (known == known[0]).all():
        raise DataError(
            f"all labels of {name} that count are {known[0]} (negative ones don't), and one class can't be told from "
            f"others; add samples of other classes, {LEFT_OUT}"
        )


def _values(name: str, found: Labels, output: Shape) -> NDArray[np.float32]:
    labels = found.reshape(len(found), *output)
    for axis in sorted({1, labels.ndim - 1}) if found.dtype.kind == "i" and output else ():
        if labels.shape[axis] > 1 and labels.min() >= 0 and (labels.sum(axis) == 1).all():
            raise DataError(f"labels of {name} are a one-hot table; save class numbers instead: y.argmax({axis})")
    return labels.astype(np.float32)


def _neither(name: str, sample: Shape, output: Shape) -> str:
    rows = dict.fromkeys(_without(output, a) for a in (0, len(output) - 1) if output and output[a] > 1)
    classes = " or ".join(map(_shown, rows))
    return (
        f"labels of {name} are {list(sample)} for one sample, but the model's output for one sample is {list(output)}: "
        + (f"give a class number for each row of scores, y of {classes}, " if classes else "")
        + f"values of the output's shape, y of {_shown(output)}, {LEFT_OUT}"
    )


def _shown(shape: Shape) -> str:
    return f"[{', '.join(['samples', *map(str, shape)])}]"


def _without(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])


def _long(shape: Shape) -> Shape:
    """The axes that are longer than one."""
    return tuple(length for length in shape if length != 1)

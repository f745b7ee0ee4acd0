"""What labels are is settled by the model's output: classes of samples, tokens or pixels, or values to reach."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from methods.base import MethodError
from methods.losses import class_axis, like
from search.data import DataError, Dataset, Part, fit_labels, load_dataset
from search.datasets.checks import make_dataset

X = np.zeros((6, 4), np.float32)
CLASSES = np.array([0, 1, 2, 2, 1, 0])
TAGS = np.stack([CLASSES, CLASSES, -np.ones(6, int), CLASSES[::-1], CLASSES], 1)


def read(labels: Any, output: tuple[int, ...], test: Any = None) -> np.ndarray[Any, Any]:
    """Labels as they come out for a model of that output."""
    data = make_dataset("mine", ([X], np.asarray(labels)), None if test is None else ([X], np.asarray(test)))
    found = fit_labels(data, output).labels
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("labels", "output", "dtype", "shape"),
    [
        (CLASSES, (3,), np.int64, (6,)),
        (CLASSES.astype(np.float64), (3,), np.int64, (6,)),
        (CLASSES[:, None], (3,), np.int64, (6,)),
        (CLASSES, (1,), np.float32, (6, 1)),
        (CLASSES > 0, (1,), np.float32, (6, 1)),
        (CLASSES / 3, (), np.float32, (6,)),
        (np.random.default_rng(0).normal(size=(6, 3)), (3,), np.float32, (6, 3)),
        (TAGS, (5, 3), np.int64, (6, 5)),
        (TAGS, (3, 5), np.int64, (6, 5)),
        (CLASSES, (1, 3), np.int64, (6, 1)),
        (np.indices((6, 2, 5))[2], (7, 2, 5), np.int64, (6, 2, 5)),
        (np.indices((6, 1, 2, 5))[3], (7, 2, 5), np.int64, (6, 2, 5)),
        (np.indices((6, 2, 5))[2] / 5, (1, 2, 5), np.float32, (6, 1, 2, 5)),
    ],
)
def test_the_output_says_what_labels_are(labels: Any, output: tuple[int, ...], dtype: type, shape: Any) -> None:
    """A number for each row of scores is a class, one for each number of the output a value; ones don't matter."""
    found = read(labels, output)
    assert (found.dtype, found.shape) == (dtype, shape)
    assert np.array_equal(found.ravel(), np.asarray(labels).ravel().astype(dtype))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.lists(st.integers(1, 4), max_size=3))
def test_what_fits_is_what_losses_take(output: list[int], sample: list[int]) -> None:
    """Whatever is let through has its place in the output; what is refused has none, even without axes of one."""
    labels = np.arange(6 * int(np.prod(sample)), dtype=np.int64).reshape(6, *sample) % 2
    given_ = torch.zeros(6, *output)
    try:
        found = fit_labels(Dataset("mine", (X,), labels), output).labels
    except DataError as error:
        if "but the model's output" in str(error):
            with pytest.raises(MethodError):
                class_axis(given_, torch.from_numpy(labels))
            assert labels.squeeze().shape != given_.squeeze().shape
        return
    assert found is not None
    axis = class_axis(given_, torch.from_numpy(found))
    assert like(given_, torch.from_numpy(found)).shape == given_.shape if axis is None else output[axis - 1] > 1


@pytest.mark.parametrize(
    ("labels", "output", "says"),
    [
        (CLASSES, (2,), "go up to 2 but the model tells 2 classes apart, numbered 0 to 1"),
        (CLASSES - 1, (3,), "label 0 of mine is -1, but labels are class numbers: integers from 0 to 2"),
        (CLASSES / 2, (3,), r"label 1 of mine is 0.5, but labels are class numbers"),
        (TAGS + 0.5, (5, 3), r"label 0 of mine is 0.5, but"),
        (
            TAGS[:, :4],
            (5, 3),
            r"are \[4\] for one sample, but .* is \[5, 3\]: give .* y of \[samples, 3\] or \[samples, 5\]",
        ),
        (TAGS, (3,), r"y of \[samples\], values of the output's shape, y of \[samples, 3\], or leave the labels out"),
        (np.eye(3)[CLASSES], (3,), r"one-hot table; save class numbers instead: y.argmax\(1\)"),
        (np.eye(3)[np.abs(TAGS)], (5, 3), r"y.argmax\(2\)"),
        (np.minimum(TAGS, 0) - np.arange(6)[:, None] - 1, (5, 3), "all labels of mine are negative"),
        (np.where(TAGS == 1, 1, -1), (5, 3), "that count are 1"),
        (np.where(CLASSES > 0, 3e9, 0), (3,), "label 1 of mine is 3000000000.0, but labels are class numbers"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: Any, output: tuple[int, ...], says: str) -> None:
    """By name, with what would be right."""
    with pytest.raises(DataError, match=says):
        read(labels, output)


def test_the_test_part_is_read_the_same_way() -> None:
    """Whole numbers in one part and fractions in the other are values in both; a class too high is found in either."""
    data = replace(Dataset("mine", (X,), CLASSES), test=Part((X,), (CLASSES / 2).astype(np.float32)))
    found = fit_labels(data, (1,))
    assert found.labels is not None
    assert found.test is not None
    assert found.test.labels is not None
    assert [str(part.labels.dtype) for part in found.parts if part.labels is not None] == ["float32", "float32"]
    with pytest.raises(DataError, match="go up to 3"):
        read(CLASSES, (3,), CLASSES + 1)
    assert len(read(CLASSES, (3,), np.array([0, 0, 0, 0, 0, 1]))) == 6


def test_an_npz_holds_labels_of_any_kind(tmp_path: Path) -> None:
    """Whole numbers come back as int64, others as float32, in the shape that they were saved in."""
    for labels, dtype in ((TAGS.astype(np.int16), np.int64), (TAGS / 2, np.float32), (np.abs(TAGS) > 1, np.int64)):
        np.savez(tmp_path / "mine.npz", x=X, y=labels)
        found = load_dataset(tmp_path / "mine.npz").labels
        assert found is not None
        assert found.dtype == dtype
        assert found.shape == (6, 5)


def test_without_labels_nothing_is_read() -> None:
    """Any output will do."""
    data = Dataset("mine", (X,))
    assert fit_labels(data, (3, 5)) is data

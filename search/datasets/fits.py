"""Whether a model can take the samples of a Dataset; labels.py says the same of labels."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from search.datasets.dataset import DataError, Dataset

Shape = Sequence[int | None]


def check_fits(dataset: Dataset, input_shapes: Sequence[Shape], values: Sequence[int] = ()) -> None:
    """Raises DataError, with the remedy, unless a model can take the samples.

    Args:
        input_shapes: the shape of one sample per model input, without the batch; None or -1 fits any length.
        values: per input, how many values an integer input may take (words of a vocabulary); 0 means any.
    """
    if len(dataset.inputs) != len(input_shapes):
        raise DataError(
            f"{dataset.name} has {len(dataset.inputs)} input(s) per sample but the model takes {len(input_shapes)}"
            + ("; name them x0, x1, ... in the .npz" if len(input_shapes) > 1 else "")
        )
    for index, (shape, wanted) in enumerate(zip(dataset.sample_shapes, input_shapes)):
        if not _matches(shape, wanted):
            which = f" (input {index})" if len(input_shapes) > 1 else ""
            hint = _reshape(shape, wanted)
            raise DataError(f"samples are {list(shape)} but the model takes {_shown(wanted)}{which}{hint}")
    for part in dataset.parts:
        for x, count in zip(part.inputs, values):
            low, high = int(np.min(x)), int(np.max(x))
            if count and not 0 <= low <= high < count:
                raise DataError(
                    f"samples of {dataset.name} hold values {low} to {high}, but the model knows 0 to {count - 1}"
                )


def _matches(shape: Sequence[int], wanted: Shape) -> bool:
    return len(shape) == len(wanted) and all(w in (None, -1, s) for s, w in zip(shape, wanted))


def _shown(shape: Shape) -> str:
    return "[" + ", ".join("any" if s in (None, -1) else str(s) for s in shape) + "]"


def _reshape(shape: Sequence[int], wanted: Shape) -> str:
    fixed = [w for w in wanted if w is not None and w != -1]
    if len(shape) == 3 and list(wanted) == [shape[2], shape[0], shape[1]]:
        return "; channels go first: save x.transpose(0, 3, 1, 2)"
    if len(fixed) == len(wanted) and prod(fixed) == prod(shape):
        return f"; the values are as many: save x.reshape({', '.join(map(str, [-1, *fixed]))})"
    return ""

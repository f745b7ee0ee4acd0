"""A Dataset: samples as numpy arrays, with a name and a content hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from search.problem import SearchError

Array = NDArray[np.generic]
Labels = NDArray[np.int64] | NDArray[np.float32]
"""Whole numbers as int64, everything else as float32; what they are for is up to the model (`fit_labels`)."""


class DataError(SearchError):
    """A data set can't be read, is broken, or doesn't fit the model."""


@dataclass(frozen=True, eq=False)
class Part:
    """Samples: one array per model input, each `[n, ...]`, and labels `[n]` or `[n, ...]` where there are any."""

    inputs: tuple[Array, ...]
    labels: Labels | None = None

    def __len__(self) -> int:
        return int(self.inputs[0].shape[0])


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples with a name.

    Attributes:
        inputs, labels: as in Part; no labels means that agreement with the original model is the quality.
        test: samples that the user set apart for the report.
        classes: names of the classes where they have any.
    """

    name: str
    inputs: tuple[Array, ...]
    labels: Labels | None = None
    test: Part | None = None
    classes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return int(self.inputs[0].shape[0])

    @property
    def sample_shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of one sample, per model input."""
        return tuple(x.shape[1:] for x in self.inputs)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The samples to learn and choose from, then the test part where there is one."""
        return (Part(self.inputs, self.labels), *([self.test] if self.test else []))

    @property
    def content_hash(self) -> str:
        """sha256 over dtypes, shapes and bytes: the same for the same data under whatever name."""
        digest = hashlib.sha256()
        for part in self.parts:
            digest.update(f"part {len(part.inputs)} {part.labels is not None}".encode())
            for array in (*part.inputs, *(() if part.labels is None else (part.labels,))):
                digest.update(f"{array.dtype.str} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

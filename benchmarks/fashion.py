"""Fashion-MNIST where Debian's package has put it, else the built-in MNIST: pictures for benchmarks that train.

apt-get install dataset-fashion-mnist
"""

from __future__ import annotations

import torch

from methods.base import Data
from search.data import DataError, Part, load_dataset
from search.splits import split


def pictures(train: int, test: int) -> tuple[str, Data, Data]:
    """The name of the data set, and samples `[n, 1, 28, 28]` from 0 to 1 with labels, to train on and to report on."""
    try:
        learnt, unseen = load_dataset("fashion-mnist").parts
    except DataError:
        splits = split(load_dataset("mnist"), 0)
        return "MNIST (install Debian's dataset-fashion-mnist for harder ones)", splits.train, splits.report
    return "Fashion-MNIST", _data(learnt).head(train), _data(unseen).head(test)


def _data(part: Part) -> Data:
    assert part.labels is not None
    return Data(tuple(torch.from_numpy(x) for x in part.inputs), torch.from_numpy(part.labels))

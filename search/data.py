"""Data by name or path: a built-in set, an .npz, a folder of images or a zip of one. Nothing is ever unpickled."""

from __future__ import annotations

import difflib
import os
import zipfile
from pathlib import Path

import torch

from methods.graph.ir import Graph
from search.datasets.builtin import BUILTIN, load_builtin
from search.datasets.dataset import DataError, Dataset, Part
from search.datasets.fits import check_fits
from search.datasets.images import read_image_folder, read_image_zip
from search.datasets.labels import fit_labels
from search.datasets.npz import LIMIT_BYTES, read_npz

__all__ = [
    "BUILTIN",
    "DataError",
    "Dataset",
    "Part",
    "cache_folder",
    "check_fits",
    "fit_labels",
    "fitted",
    "load_dataset",
    "load_upload",
]

TAKEN = "an .npz with x and y, a folder with one subfolder of images per class, or a .zip of such a folder"


def load_dataset(source: Path | str, cache: Path | None = None, limit_bytes: int = LIMIT_BYTES) -> Dataset:
    """A checked Dataset from a built-in name ("mnist", "digits", ...) or a path; a Path is never taken for a name.

    Args:
        cache: where built-in sets are kept in a form that loads faster; by default `cache` in FITWRIGHT_HOME.
        limit_bytes: the largest data set that is read, unpacked.

    Raises DataError, which names what is wrong, where, and what would be right.
    """
    if isinstance(source, str) and source in BUILTIN:
        return load_builtin(source, cache or cache_folder())
    if source == "":
        raise DataError(f"the data set is missing: give {', '.join(BUILTIN)}, {TAKEN}")
    try:
        return _read(Path(source), limit_bytes)
    except OSError as error:
        raise DataError(f"{str(source)[:200]!r} can't be read: {error.strerror}") from error


def load_upload(path: Path, limit_bytes: int = LIMIT_BYTES) -> Dataset:
    """The same from one file that may come from anybody: an .npz or a zip of images, told apart by their content."""
    if path.stat().st_size == 0:
        raise DataError(f"{path.name} is empty; give {TAKEN}")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path.name} isn't a data set, or is cut short; give {TAKEN}")
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = any(name.endswith(".npy") for name in archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DataError(f"{path.name} is damaged ({error}); pack it again") from error
    return read_npz(path, limit_bytes) if arrays or path.suffix == ".npz" else read_image_zip(path, limit_bytes)


def fitted(dataset: Dataset, graph: Graph) -> Dataset:
    """The data as a model takes them, labels included. Raises DataError, with the remedy, where they don't fit."""
    check_fits(dataset, [spec.shape for spec in graph.inputs], [spec.values for spec in graph.inputs])
    with torch.no_grad():
        output = graph(*graph.example(1))[0]
    return fit_labels(dataset, output.shape[1:])


def _read(path: Path, limit_bytes: int) -> Dataset:
    if path.is_dir():
        return read_image_folder(path, limit_bytes)
    if path.is_file():
        return load_upload(path, limit_bytes)
    near = difflib.get_close_matches(path.name.lower(), BUILTIN, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise DataError(f"there is no data set {str(path)!r}{hint}: give {', '.join(BUILTIN)}, {TAKEN}")


def cache_folder() -> Path:
    """Where things that can be made again are kept."""
    return Path(os.environ.get("FITWRIGHT_HOME", ".fitwright")) / "cache"

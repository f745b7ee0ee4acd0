"""Images as a Dataset: a folder, or a zip of one, with a subfolder per class; never unpacked to disk.

Images all of one size, greyscale `[1, H, W]` or colour `[3, H, W]`, as floats from 0 to 1. Images straight in the
folder, without subfolders, are samples without labels.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from search.datasets.archive import read_members
from search.datasets.checks import make_dataset
from search.datasets.dataset import Array, DataError, Dataset
from search.datasets.npz import LIMIT_BYTES

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
GREY, COLOUR = ("1", "L", "LA"), ("P", "RGB", "RGBA", "CMYK", "YCbCr")
PIXELS = 64 * 2**20
"""Most pixels of one image; a file of a few bytes may declare far more."""
BROKEN = (OSError, SyntaxError, ValueError, struct.error, zlib.error, EOFError, Image.DecompressionBombError)


@dataclass(frozen=True)
class ImageFile:
    """Where an image lies (`cats/1.png`) and its bytes, read when asked for."""

    name: str
    source: Path | bytes

    @property
    def folder(self) -> str:
        return self.name.rpartition("/")[0]

    @property
    def content(self) -> bytes:
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


def read_image_folder(path: Path, limit_bytes: int = LIMIT_BYTES) -> Dataset:
    """A Dataset from a folder with one subfolder per class, in order of their names. Raises DataError."""
    files = []
    for entry in _visible(path):
        inside = _visible(entry) if entry.is_dir() else [entry]
        if not inside:
            raise DataError(f"{entry.name} in {path.name} has no images; add some or take the folder out")
        files += [ImageFile(file.relative_to(path).as_posix(), file) for file in inside]
    return _dataset(path.name, files, limit_bytes)


def read_image_zip(path: Path, limit_bytes: int = LIMIT_BYTES) -> Dataset:
    """The same from a zip of such a folder, with or without the folder itself around it. Raises DataError."""
    members = read_members(path, limit_bytes)
    tops = {name.partition("/")[0] for name in members}
    wrapped = len(tops) == 1 and all(name.count("/") == 2 for name in members)
    strip = len(tops.pop()) + 1 if wrapped else 0
    names = sorted(members, key=lambda name: name.split("/"))
    return _dataset(path.stem, [ImageFile(name[strip:], members[name]) for name in names], limit_bytes)


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _dataset(name: str, files: list[ImageFile], limit_bytes: int) -> Dataset:
    if not files:
        raise DataError(f"{name} holds no images; it should have one subfolder of images per class")
    _check_names(name, files)
    classes = sorted({file.folder for file in files})
    images = np.stack(list(_images(files, limit_bytes)))
    if classes == [""]:
        return make_dataset(name, ([images], None))
    labels = np.array([classes.index(file.folder) for file in files])
    return replace(make_dataset(name, ([images], labels)), classes=tuple(classes))


def _check_names(name: str, files: list[ImageFile]) -> None:
    for file in files:
        if isinstance(file.source, Path) and file.source.is_dir():
            raise DataError(f"{file.name} in {name} is a folder, but images lie in one subfolder per class")
        if not file.name.lower().endswith(SUFFIXES):
            raise DataError(f"{file.name} in {name} isn't an image ({', '.join(SUFFIXES)}); take it out of the folder")
        if "/" in file.folder:
            raise DataError(f"{file.name} in {name} lies too deep; images lie in one subfolder per class")
    if len({file.folder == "" for file in files}) == 2:
        raise DataError(f"{name} has images both beside and inside its subfolders; put each into its class's subfolder")


def _images(files: list[ImageFile], limit_bytes: int) -> Iterator[Array]:
    first: tuple[str, tuple[int, ...]] | None = None
    for file in files:
        image = _pixels(file)
        first = first or (file.name, image.shape)
        if image.shape != first[1]:
            raise DataError(
                f"{file.name} is {_size(image.shape)} but {first[0]} is {_size(first[1])}; "
                "all images must have one size and be all greyscale or all in colour"
            )
        if image.nbytes * len(files) > limit_bytes:
            raise DataError(f"{len(files)} images of {_size(image.shape)} need more than {limit_bytes / 2**20:.0f} MiB")
        yield image


def _pixels(file: ImageFile) -> Array:
    try:
        with Image.open(BytesIO(file.content), formats=FORMATS) as image:
            if image.width * image.height > PIXELS:
                raise DataError(f"{file.name} is {image.width} x {image.height}; at most {PIXELS} pixels are read")
            if image.mode not in GREY + COLOUR:
                raise DataError(f"{file.name} has mode {image.mode}; save it as 8-bit greyscale or colour")
            pixels = np.asarray(image.convert("L" if image.mode in GREY else "RGB"), np.float32) / 255
    except BROKEN as error:
        raise DataError(f"{file.name} is not a whole image: {error}; replace it or take it out") from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[2]} x {shape[1]} {'greyscale' if shape[0] == 1 else 'colour'}"

"""Folders of images, and zips of them, become data; whatever isn't an image of the right size is named."""

import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search.data import DataError, load_dataset

DIGITS = load_dataset("digits")
assert DIGITS.labels is not None
PIXELS, LABELS = (DIGITS.inputs[0][:40, 0].astype(np.float64) * 255).astype(np.uint8), DIGITS.labels[:40]


def digit_folder(root: Path) -> Path:
    """Forty real digits as PNG files, one subfolder per class."""
    folder = root / "numbers"
    for index, (pixels, label) in enumerate(zip(PIXELS, LABELS)):
        (folder / f"digit-{label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"digit-{label}" / f"{index:02}.png")
    return folder


def zipped(folder: Path, path: Path, prefix: str = "") -> Path:
    """A zip of that folder, with `prefix` before each name."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, prefix + file.relative_to(folder).as_posix())
    return path


def refusal(source: Path) -> str:
    """What the user is told."""
    with pytest.raises(DataError) as refused:
        load_dataset(source)
    return str(refused.value)


def test_a_folder_per_class_becomes_labels(tmp_path: Path) -> None:
    """Classes are numbered in order of their folders' names; pixels go from 0 to 1."""
    data = load_dataset(digit_folder(tmp_path))
    order = sorted(range(40), key=lambda i: (LABELS[i], i))
    assert data.labels is not None
    assert data.labels.tolist() == LABELS[order].tolist()
    assert np.array_equal(data.inputs[0][:, 0], PIXELS[order].astype(np.float32) / 255)
    assert data.classes == tuple(f"digit-{i}" for i in range(10))


@pytest.mark.parametrize("prefix", ["", "numbers/"])
def test_a_zip_is_as_good_as_its_folder(tmp_path: Path, prefix: str) -> None:
    """With or without the folder itself around it, and with what a Mac adds."""
    path = zipped(digit_folder(tmp_path), tmp_path / "numbers.zip", prefix)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/._numbers", b"Mac OS X")
        archive.writestr(prefix + ".DS_Store", b"Mac OS X")
    assert load_dataset(path).content_hash == load_dataset(tmp_path / "numbers").content_hash


def test_colour_images_have_three_channels(tmp_path: Path) -> None:
    """A colour image becomes [3, H, W]."""
    for name, pixels in zip("abab", PIXELS):
        (tmp_path / name).mkdir(exist_ok=True)
        Image.fromarray(np.stack([pixels, pixels[::-1], pixels.T], 2)).save(tmp_path / name / f"{pixels.sum()}.bmp")
    assert load_dataset(tmp_path).sample_shapes == ((3, 8, 8),)


def test_images_without_folders_have_no_labels(tmp_path: Path) -> None:
    """A plain folder of images is data for agreement with the original."""
    for index in range(3):
        Image.fromarray(PIXELS[index]).save(tmp_path / f"{index}.png")
    data = load_dataset(tmp_path)
    assert (len(data), data.labels) == (3, None)


def put(folder: Path, name: str, content: bytes) -> None:
    """A file among the images."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("digit-3/notes.txt", b"hello", "digit-3/notes.txt in numbers isn't an image"),
        ("digit-3/x.png", b"GIF?", "digit-3/x.png is not a whole image"),
        ("digit-3/x.png", b"", "digit-3/x.png is not a whole image"),
        ("digit-3/x.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "digit-3/x.png is not a whole image"),
        ("digit-3/more/x.png", b"", "digit-3/more in numbers is a folder"),
        ("x.png", b"", "both beside and inside its subfolders"),
        ("empty/.hidden", b"", "empty in numbers has no images"),
    ],
)
def test_a_stray_file_is_named(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    """Nothing is skipped in silence."""
    folder = digit_folder(tmp_path)
    put(folder, name, content)
    assert says in refusal(folder)


def test_a_truncated_image_is_named(tmp_path: Path) -> None:
    """Half an image isn't padded with grey."""
    folder = digit_folder(tmp_path)
    file = folder / "digit-1" / "01.png"
    file.write_bytes(file.read_bytes()[:-30])
    assert "digit-1/01.png is not a whole image" in refusal(folder)


def test_images_of_another_size_are_named(tmp_path: Path) -> None:
    """Nothing is resized behind the user's back."""
    folder = digit_folder(tmp_path)
    Image.fromarray(PIXELS[0]).resize((9, 8)).save(folder / "digit-5" / "wide.png")
    assert "digit-5/wide.png is 9 x 8 greyscale but digit-0/00.png is 8 x 8 greyscale" in refusal(folder)


def test_a_colour_image_among_grey_ones_is_named(tmp_path: Path) -> None:
    """One kind of image throughout."""
    folder = digit_folder(tmp_path)
    Image.fromarray(PIXELS[0]).convert("RGB").save(folder / "digit-5" / "red.png")
    assert "digit-5/red.png is 8 x 8 colour" in refusal(folder)


def test_one_class_is_refused(tmp_path: Path) -> None:
    """A single subfolder leaves nothing to tell apart."""
    put(tmp_path / "only", "cats/1.png", b"")
    Image.fromarray(PIXELS[0]).save(tmp_path / "only" / "cats" / "1.png")
    assert "one class can't be told from others" in refusal(tmp_path / "only")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """With what it should hold."""
    assert "should have one subfolder of images per class" in refusal(tmp_path)


def test_an_image_that_declares_too_many_pixels_is_refused(tmp_path: Path) -> None:
    """A small file whose header promises a huge image isn't decoded."""
    (tmp_path / "a").mkdir()
    Image.new("1", (9_000, 8_000)).save(tmp_path / "a" / "big.png")
    assert (tmp_path / "a" / "big.png").stat().st_size < 200_000
    assert "big.png is 9000 x 8000; at most" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["../evil.png", "a/../../evil.png", "/evil.png", "C:/evil.png", "a\\..\\evil.png"])
def test_a_zip_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    """The name is refused, and nothing is written anywhere."""
    path = zipped(digit_folder(tmp_path), tmp_path / "numbers.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")
    before = sorted(tmp_path.rglob("*"))
    assert "leads out of the folder" in refusal(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    """A link could name any file of the machine."""
    path = zipped(digit_folder(tmp_path), tmp_path / "numbers.zip")
    link = zipfile.ZipInfo("digit-1/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/hostname")
    assert "holds the link 'digit-1/link.png'" in refusal(path)


def test_a_bomb_in_a_zip_is_refused(tmp_path: Path) -> None:
    """Ten megabytes of zeros packed into ten kilobytes."""
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.png", bytes(10 * 2**20))
    assert "a/1.png in bomb.zip unpacks to 10485760 bytes" in refusal(tmp_path / "bomb.zip")
    with pytest.raises(DataError, match="unpacks to more than 1 MiB"):
        load_dataset(tmp_path / "bomb.zip", limit_bytes=2**20)


def test_a_truncated_zip_is_refused(tmp_path: Path) -> None:
    """An upload that broke off."""
    path = zipped(digit_folder(tmp_path), tmp_path / "numbers.zip")
    path.write_bytes(path.read_bytes()[:-100])
    assert "is cut short" in refusal(path)

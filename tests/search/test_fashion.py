"""Fashion-MNIST is read from Debian's files, and damaged or missing ones are refused with the remedy."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from search.data import DataError, load_dataset
from search.datasets import builtin
from search.datasets.builtin import FASHION, fashion_mnist
from search.datasets.idx import read_idx
from search.splits import split
from tests.needs import missing


def written(path: Path, values: np.ndarray, start: bytes = b"\0\0\x08") -> Path:
    """A gzipped IDX file as the format's description says, written out by hand."""
    lengths = b"".join(struct.pack(">I", n) for n in values.shape)
    path.write_bytes(gzip.compress(start + bytes([values.ndim]) + lengths + values.astype(np.uint8).tobytes()))
    return path


def refusal(path: Path, count: int = 3, shape: tuple[int, ...] = (2, 2)) -> str:
    """What is said of a file."""
    with pytest.raises(DataError) as refused:
        read_idx(path, count, shape)
    return str(refused.value)


def test_the_set_is_the_beginning_of_debians_files() -> None:
    """6,000 samples and a test part of 2,000, as the files hold them; the test part is what is reported on."""
    if not FASHION.is_dir():
        missing("Fashion-MNIST", "dataset-fashion-mnist")
    data = load_dataset("fashion-mnist")
    assert data.test is not None
    assert data.test.labels is not None
    assert (len(data), len(data.test), len(data.classes), data.sample_shapes) == (6000, 2000, 10, ((1, 28, 28),))
    whole = gzip.decompress((FASHION / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    last = np.frombuffer(whole, np.uint8)[1999 * 784 : 2000 * 784].reshape(1, 28, 28)
    assert np.array_equal(np.rint(data.test.inputs[0][1999] * 255), last)
    assert list(data.test.labels[:5]) == [9, 2, 1, 1, 6]
    parts = split(data, 0)
    assert [len(parts.train), len(parts.reward), len(parts.choice), len(parts.report)] == [4286, 857, 857, 2000]


def test_without_its_package_the_remedy_is_told(tmp_path: Path) -> None:
    """The message names what to install."""
    with pytest.raises(DataError, match="apt-get install dataset-fashion-mnist"):
        fashion_mnist(tmp_path, tmp_path / "nowhere")


def test_only_the_beginning_is_read(tmp_path: Path) -> None:
    """The first samples come back as they were written."""
    values = np.arange(20).reshape(5, 2, 2)
    assert np.array_equal(read_idx(written(tmp_path / "x.gz", values), 3, (2, 2)), values[:3])


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """Cut short, of another type, of another shape, no gzip, no file at all: each is told."""
    values = np.arange(20).reshape(5, 2, 2)
    whole = written(tmp_path / "x.gz", values)
    assert "not 9 or more" in refusal(whole, count=9)
    assert "not 3 or more of [4]" in refusal(whole, shape=(4,))
    assert "no IDX of bytes" in refusal(written(tmp_path / "float.gz", values, b"\0\0\x0d"))
    short = tmp_path / "short.gz"
    short.write_bytes(gzip.compress(gzip.decompress(whole.read_bytes())[:20]))
    assert "ends after 4 of 12 values" in refusal(short)
    short.write_bytes(whole.read_bytes()[:30])
    assert "can't be read" in refusal(short)
    short.write_bytes(b"\0\0\x08")
    assert "can't be read" in refusal(short)
    assert "can't be read" in refusal(tmp_path / "nowhere.gz")


@pytest.mark.parametrize("label", [10, 255])
def test_a_label_that_is_no_class_is_refused(tmp_path: Path, label: int) -> None:
    """Files whose labels go past the ten classes aren't this set."""
    for part, count in (("train", 6000), ("t10k", 2000)):
        written(tmp_path / f"{part}-images-idx3-ubyte.gz", np.zeros((count, 28, 28)))
        labels = np.arange(count) % 10
        labels[7] = label
        written(tmp_path / f"{part}-labels-idx1-ubyte.gz", labels)
    with pytest.raises(DataError, match=rf"label 7 of train in .* is {label}"):
        fashion_mnist(tmp_path, tmp_path)


def test_a_missing_package_is_known_beforehand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without loading anything; where the files are, there is nothing to say."""
    monkeypatch.setattr(builtin, "FASHION", tmp_path / "absent")
    assert "apt-get install dataset-fashion-mnist" in builtin.missing("fashion-mnist")
    assert builtin.missing("digits") == ""

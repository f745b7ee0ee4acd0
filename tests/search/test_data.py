"""Data is read by name or path, never unpickled, and refused with a message that names what is wrong."""

import io
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from search.data import DataError, Dataset, check_fits, load_dataset

DIGITS = load_dataset("digits")
assert DIGITS.labels is not None
X, Y = DIGITS.inputs[0][:60].astype(np.float32), DIGITS.labels[:60]


def save(folder: Path, **arrays: object) -> Path:
    """An .npz as a user would save it."""
    path = folder / "mine.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def refusal(source: Path | str) -> str:
    """What the user is told."""
    with pytest.raises(DataError) as refused:
        load_dataset(source)
    return str(refused.value)


def test_digits_are_images_from_0_to_1() -> None:
    """The small built-in set has its 1,797 samples of ten classes."""
    assert (len(DIGITS), DIGITS.sample_shapes) == (1797, ((1, 8, 8),))
    assert (DIGITS.inputs[0].min(), DIGITS.inputs[0].max()) == (0.0, 1.0)
    assert DIGITS.labels is not None
    assert set(DIGITS.labels) == set(range(10))


def test_mnist_is_kept_after_the_first_time(tmp_path: Path) -> None:
    """The table of text is parsed once; what is kept gives the same data, and is made anew when damaged."""
    first = load_dataset("mnist", tmp_path)
    (kept,) = tmp_path.iterdir()
    assert (len(first), first.sample_shapes) == (5000, ((1, 28, 28),))
    assert load_dataset("mnist", tmp_path).content_hash == first.content_hash
    kept.write_bytes(kept.read_bytes()[:1000])
    assert load_dataset("mnist", tmp_path).content_hash == first.content_hash


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    """A file where the cache folder should be doesn't keep the data from loading."""
    (tmp_path / "cache").write_text("in the way")
    assert len(load_dataset("mnist", tmp_path / "cache")) == 5000


def test_an_npz_is_read_with_its_labels(tmp_path: Path) -> None:
    """`x` and `y` come back as they were saved, in float32 and int64."""
    data = load_dataset(save(tmp_path, x=X.astype(np.float64), y=Y))
    assert np.array_equal(data.inputs[0], X)
    assert data.labels is not None
    assert np.array_equal(data.labels, Y)
    assert [data.name, str(data.inputs[0].dtype), str(data.labels.dtype)] == ["mine", "float32", "int64"]


def test_a_test_part_is_kept_apart(tmp_path: Path) -> None:
    """`x_train`, `y_train`, `x_test`, `y_test` become samples and a test part."""
    data = load_dataset(save(tmp_path, x_train=X[:40], y_train=Y[:40], x_test=X[40:], y_test=Y[40:]))
    assert data.test is not None
    assert (len(data), len(data.test)) == (40, 20)


def test_several_inputs_and_no_labels(tmp_path: Path) -> None:
    """`x0`, `x1` are the inputs in order; without `y` there are no labels."""
    data = load_dataset(save(tmp_path, x1=X[:, 0], x0=X))
    assert data.sample_shapes == ((1, 8, 8), (8, 8))
    assert data.labels is None


def test_the_hash_tells_contents_apart(tmp_path: Path) -> None:
    """It depends on values, labels and dtype, not on the name."""
    arrays: list[dict[str, object]] = [{"x": X, "y": Y}, {"x": X}, {"x": 1 - X, "y": Y}, {"x": X, "y": Y[::-1]}]
    arrays += [{"x": X.reshape(60, 64), "y": Y}, {"x": np.ones((60, 1, 8, 8), np.int32), "y": Y}]
    arrays += [{"x": X, "y": Y + 0.5}]
    hashes = [load_dataset(save(tmp_path, **found)).content_hash for found in arrays]
    assert len(set(hashes)) == len(arrays)
    assert load_dataset(save(tmp_path, **arrays[0]).rename(tmp_path / "other.npz")).content_hash == hashes[0]


def test_an_unknown_name_gets_the_nearest() -> None:
    """A typing error is answered with the built-in names."""
    assert "did you mean mnist?" in refusal("minst")


@pytest.mark.parametrize(
    ("name", "says"),
    [("a" * 5000, "can't be read"), ("no\0thing", "there is no data set"), ("", "the data set is missing")],
    ids=["long", "zero", "none"],
)
def test_a_name_that_no_file_can_have_is_refused(name: str, says: str) -> None:
    """Too long, with a zero in it, or no name at all."""
    assert says in refusal(name)


NAN, INF = X.copy(), X.copy()
NAN[17, 0, 3, 3], INF[[4, 9], 0, 0, 0] = np.nan, np.inf


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": NAN, "y": Y}, "sample 17 of x holds NaN or infinite values"),
        ({"x": INF, "y": Y}, "sample 4 of x holds NaN or infinite values (and 1 more samples)"),
        ({"x": X.astype(np.float64) * 1e300}, "NaN or infinite"),
        ({"x": X[:0], "y": Y[:0]}, "x is empty"),
        ({"x": np.float32(3)}, "x is empty"),
        ({"x": X, "y": Y[:50]}, "x has 60 samples but y has 50 labels"),
        ({"x": X, "y": np.full(60, 3)}, "all 60 labels of mine are 3"),
        ({"x": X, "y": np.full((60, 4), 0.5)}, "all 240 labels of mine are 0.5"),
        ({"x": X, "y": NAN}, "label 17 of y holds NaN or infinite values"),
        ({"x": X, "y": Y * 1e300}, "label 1 of y holds NaN or infinite values"),
        ({"x": X, "y": np.zeros((60, 0))}, "y is empty, its shape is [60, 0]"),
        ({"x": X, "y": np.array(["a"] * 60)}, "labels are numbers: classes from 0 on, or values to reach"),
        (
            {"x_train": X, "y_train": X, "x_test": X, "y_test": Y},
            "y_train are [1, 8, 8] for one sample but labels in y",
        ),
        ({"x": np.array([["a"]] * 60)}, "a model takes numbers"),
        ({"x": X, "y": np.array([1, "a", None], dtype=object)}, "y in mine.npz holds Python objects"),
        ({"X": X, "Y": Y}, "holds 'X', 'Y'; name the arrays x and y"),
        ({"y": Y}, "holds labels only"),
        ({"x": X, "x_test": X}, "don't go together"),
        ({"x0": X, "x2": X}, "without a gap"),
        ({"x0": X, "x1": X[:50]}, "x0 has 60 samples but x1 has 50"),
        ({"x_train": X, "y_train": Y, "x_test": X}, "y_test is missing"),
        ({"x_train": X, "x_test": X[:, :, :4]}, "[[1, 8, 8]] but samples of x_test are [[1, 4, 8]]"),
        ({}, "holds no arrays; name the arrays x and y"),
    ],
)
def test_broken_arrays_are_refused(tmp_path: Path, arrays: dict[str, object], says: str) -> None:
    """Whatever is wrong with the arrays is said by name and place."""
    assert says in refusal(save(tmp_path, **arrays))


class Evil:
    """Runs when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('it was unpickled')",)


@pytest.mark.parametrize("name", ["mine.npz", "mine.zip", "mine.npy", "mine"])
def test_a_pickle_is_refused_under_any_name(tmp_path: Path, name: str) -> None:
    """It isn't loaded, it isn't run."""
    (tmp_path / name).write_bytes(pickle.dumps(Evil()))
    assert "isn't a data set" in refusal(tmp_path / name)


def test_a_pickle_inside_an_npz_is_refused(tmp_path: Path) -> None:
    """Neither in place of an array, nor as an array of objects."""
    with zipfile.ZipFile(tmp_path / "mine.npz", "w") as archive:
        archive.writestr("x.npy", pickle.dumps(Evil()))
    assert "can't be read as .npz" in refusal(tmp_path / "mine.npz")
    assert "never unpickled" in refusal(save(tmp_path, x=np.array([Evil()], dtype=object)))


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    """The commonest failed upload has its own message."""
    (tmp_path / "mine.npz").touch()
    assert "mine.npz is empty" in refusal(tmp_path / "mine.npz")


@pytest.mark.parametrize("keep", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_npz_is_refused(tmp_path: Path, keep: float) -> None:
    """Wherever it was cut."""
    path = save(tmp_path, x=X, y=Y)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    assert "mine.npz" in refusal(path)


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    """The checksum of each array is compared."""
    path = save(tmp_path, x=X, y=Y)
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    assert "x.npy in mine.npz is damaged" in refusal(path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """64 MiB of zeros in 64 kB: the declared size is held against the limit, and nothing is allocated."""
    np.savez_compressed(tmp_path / "mine.npz", x=np.zeros((1, 2**24), np.float32))
    tracemalloc.start()
    with pytest.raises(DataError, match="unpacks to more than 32 MiB"):
        load_dataset(tmp_path / "mine.npz", limit_bytes=2**25)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("shape", ["(99999999999, 8)", "(-1, -480)", "(60, 8)"])
def test_a_header_that_lies_about_its_size_is_refused(tmp_path: Path, shape: str) -> None:
    """What is stored must be as long as dtype and shape say."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".ljust(117).encode() + b"\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(480)
    with zipfile.ZipFile(tmp_path / "mine.npz", "w") as archive:
        archive.writestr("x.npy", content)
    assert "damaged" in refusal(tmp_path / "mine.npz") or "can't be read" in refusal(tmp_path / "mine.npz")


def test_an_array_alone_is_refused(tmp_path: Path) -> None:
    """An .npy in the place of an .npz is answered with what is taken."""
    buffer = io.BytesIO()
    np.save(buffer, X)
    (tmp_path / "mine.npz").write_bytes(buffer.getvalue())
    assert "give an .npz with x and y" in refusal(tmp_path / "mine.npz")


@pytest.mark.parametrize(
    ("shapes", "says"),
    [
        ([[3, 32, 32]], r"samples are \[1, 8, 8\] but the model takes \[3, 32, 32\]$"),
        ([[64]], r"takes \[64\]; the values are as many: save x.reshape\(-1, 64\)"),
        ([[None, 3]], r"takes \[any, 3\]"),
        ([[1, 8, 8], [1, 8, 8]], "1 input.s. per sample but the model takes 2; name them x0, x1"),
    ],
)
def test_data_that_does_not_fit_the_model(shapes: list[list[int | None]], says: str) -> None:
    """Shapes and inputs are compared, and the nearest remedy named."""
    with pytest.raises(DataError, match=says):
        check_fits(DIGITS, shapes)


def test_channels_last_is_recognised() -> None:
    """Images saved the other way round get the transpose that repairs them."""
    with pytest.raises(DataError, match=r"x.transpose\(0, 3, 1, 2\)"):
        check_fits(Dataset("mine", (np.moveaxis(X, 1, 3),)), [[1, 8, 8]])


def test_words_beyond_the_vocabulary_are_refused() -> None:
    """Integers that the model has no entry for are named before they crash it."""
    words = Dataset("mine", ((X[:, 0, 0] * 16).astype(np.int64),))
    check_fits(words, [[8]], values=[17])
    with pytest.raises(DataError, match="hold values 0 to 16, but the model knows 0 to 9"):
        check_fits(words, [[8]], values=[10])


def test_data_that_fits_passes() -> None:
    """A free axis fits any length."""
    check_fits(DIGITS, [[1, 8, 8]])
    check_fits(DIGITS, [[1, None, -1]])

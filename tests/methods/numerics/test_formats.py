"""Number formats and rounding to them."""

from __future__ import annotations

from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.numerics.formats import FORMATS, Format, levels_format
from methods.numerics.rounding import nearest, rounded

TERNARY = levels_format("ternary", (-1, 0, 1))
POWERS = levels_format("powers", (0, *(s * 2.0**-k for k in range(4) for s in (-1, 1))))
OCTAVES = Format("e3m0", 4, "float", exponent=3, mantissa=0, bias=3)
SMALL = [f for f in FORMATS.values() if f.bits <= 8]
ODD = [TERNARY, POWERS, OCTAVES, replace(FORMATS["int4"], symmetric=True)]
JUDGES = {
    "fp4-e2m1": ml_dtypes.float4_e2m1fn,
    "fp6-e2m3": ml_dtypes.float6_e2m3fn,
    "fp6-e3m2": ml_dtypes.float6_e3m2fn,
    "fp8-e4m3": ml_dtypes.float8_e4m3fn,
    "fp8-e5m2": ml_dtypes.float8_e5m2,
    "bf16": ml_dtypes.bfloat16,
    "fp16": np.float16,
}
EVERY_FORMAT = pytest.mark.parametrize("to", [*SMALL, *ODD], ids=lambda f: f.name + "-" * f.symmetric)
EVERY_JUDGE = pytest.mark.parametrize("name", JUDGES)


def between(points: np.ndarray) -> np.ndarray:
    """The middle between each number and the next."""
    return np.asarray((points[1:] + points[:-1]) / 2)


@EVERY_FORMAT
def test_the_fast_way_and_the_slow_one_agree(to: Format) -> None:
    """On every number of the format, on every tie, just beside the ties, at random, and far outside."""
    points = to.code_points()
    middles = between(points)
    noise = np.random.default_rng(0).normal(0, float(np.abs(points).max()), 2000)
    values = np.concatenate([points, middles, np.nextafter(middles, np.inf), np.nextafter(middles, -np.inf), noise])
    values = np.append(values, [np.inf, -np.inf, 1e300])
    np.testing.assert_array_equal(rounded(values, to), nearest(values, to))
    np.testing.assert_array_equal(nearest(points, to), points)


@EVERY_JUDGE
def test_an_independent_judge_rounds_alike(name: str) -> None:
    """Random numbers and all ties of each float format, inside its range."""
    to, judge = FORMATS[name], JUDGES[name]
    points = to.code_points()
    noise = np.random.default_rng(0).normal(0, min(to.largest, 100.0) / 3, 5000).astype(np.float32)
    with np.errstate(over="ignore"):
        values = np.concatenate([points, between(points), noise]).astype(np.float32).astype(np.float64)
    values = values[np.abs(values) <= to.largest]
    expected = values.astype(np.float32).astype(judge).astype(np.float64)
    np.testing.assert_array_equal(rounded(values, to), expected + 0.0)


@EVERY_JUDGE
def test_the_numbers_are_those_of_the_standard(name: str) -> None:
    """Every bit pattern read by the judge: the finite ones are our numbers, none more and none less."""
    to, judge = FORMATS[name], np.dtype(JUDGES[name])
    codes = np.arange(2**to.bits, dtype=np.uint16 if to.bits == 16 else np.uint8)
    with np.errstate(invalid="ignore"):
        every = codes.view(judge).astype(np.float64)
    np.testing.assert_array_equal(to.code_points(), np.unique(every[np.isfinite(every)]))
    assert np.isnan(every).sum() + np.isinf(every).sum() == 2 * to._reserved


@given(st.sampled_from(SMALL + ODD), st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_rounding_twice_is_rounding_once_and_keeps_order(to: Format, values: list[float]) -> None:
    """Idempotent and monotone, for any numbers."""
    once = rounded(np.sort(np.array(values)), to)
    np.testing.assert_array_equal(rounded(once, to), once)
    assert (np.diff(once) >= 0).all()


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 7, 8, 16])
def test_integers_count_from_end_to_end(bits: int) -> None:
    """Two's complement, unsigned, and the symmetric range without the lowest code."""
    signed, unsigned = FORMATS[f"int{bits}"], FORMATS[f"uint{bits}"]
    narrow = replace(signed, symmetric=True).code_points()
    assert (signed.low, signed.high) == (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    assert (unsigned.low, unsigned.high) == (0, 2**bits - 1)
    assert len(signed.code_points()) == len(unsigned.code_points()) == 2**bits
    np.testing.assert_array_equal(narrow, -narrow[::-1])


def test_known_ends() -> None:
    """448, 57344 and 6, as the papers give them."""
    assert [FORMATS[n].largest for n in ("fp8-e4m3", "fp8-e5m2", "fp4-e2m1")] == [448.0, 57344.0, 6.0]
    assert FORMATS["fp4-e2m1"].code_points()[7:].tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
    assert (TERNARY.bits, POWERS.bits, TERNARY.largest) == (2, 4, 1.0)


def test_what_can_not_be_rounded_or_listed_is_refused() -> None:
    """Not-a-number, a format of 32 bits, and levels that are none."""
    with pytest.raises(ValueError, match="int4"):
        rounded(np.array([1.0, np.nan]), FORMATS["int4"])
    with pytest.raises(ValueError, match="too many to list"):
        Format("int32", 32, "integer").code_points()
    for levels in ((), (1.0, float("inf"))):
        with pytest.raises(ValueError, match="finite numbers, at least one"):
            levels_format("odd", levels)

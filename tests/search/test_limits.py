"""Limits are read as written, refused with the remedy, and shown so that they can be read again."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hwmodels.base import METRICS
from search.limits import UNITS, BadLimit, format_figure, parse_limit, parse_limits, resolve
from search.problem import Limit


@pytest.mark.parametrize(
    ("metric", "text", "value"),
    [
        ("latency", "5ms", 0.005),
        ("latency", "0.3 us", 3e-7),
        ("latency", "2µs", 2e-6),
        ("latency", "2\u03bcs", 2e-6),
        ("latency", "1e3ns", 1e-6),
        ("energy", "3mJ", 0.003),
        ("size", "200kB", 200_000.0),
        ("size", "64KiB", 65_536.0),
        ("memory", "1.5 MiB", 1_572_864.0),
        ("macs", "2.5M", 2_500_000.0),
        ("macs", "1000", 1000.0),
    ],
)
def test_an_absolute_limit_is_held_in_base_units(metric: str, text: str, value: float) -> None:
    """Whatever unit a limit is given in, it is held in seconds, joules, bytes or MACs."""
    limit = parse_limit(metric, text)
    assert (limit.value, limit.relative) == (value, False)


def test_a_ratio_is_of_the_untouched_model() -> None:
    """A ratio becomes absolute with the untouched model's figure, above 1 as well as below."""
    limits = parse_limits(["latency=0.5x", "size=2x", "macs=1M"])
    found = resolve(limits, {"latency_s": 0.004, "file_bytes": 1000.0, "macs": 5e6})
    assert found == (Limit("latency", 0.002, "0.5x"), Limit("size", 2000.0, "2x"), Limit("macs", 1e6, "1M"))


@pytest.mark.parametrize(
    ("metric", "text", "says"),
    [
        ("latency", "5 msec?", "msec? isn't a unit of latency; write for example 5ms (one of s, ms, us, µs, ns)"),
        ("latency", "5", "the unit is missing"),
        ("latency", "5kB", "kB isn't a unit of latency"),
        ("size", "200KB", "(one of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB)"),
        ("size", "50%", "0.5x"),
        ("size", "0,5x", "with a point"),
        ("latency", "-3ms", "is negative"),
        ("latency", "0x", "is zero"),
        ("latency", "0", "is zero"),
        ("latency", "1e-400s", "is zero"),
        ("latency", "nan", "isn't a number"),
        ("latency", "inf", "is infinite"),
        ("latency", "infx", "is infinite"),
        ("size", "1e308GB", "is infinite"),
        ("macs", 10**2000, "is infinite"),
        ("energy", "", "the value is missing"),
        ("energy", None, "not None"),
        ("energy", True, "not True"),
        ("latency", "fast", "starts with a number"),
        ("latnecy", "5ms", "did you mean latency?"),
        ("ram", "5kB", "did you mean memory?"),
        ("accuracy", "0.9", "only latency, energy, size, memory, macs can"),
    ],
)
def test_a_bad_limit_is_refused_with_the_remedy(metric: str, text: object, says: str) -> None:
    """The message quotes the limit and says what would be right."""
    with pytest.raises(BadLimit) as refused:
        parse_limit(metric, text)
    assert says in str(refused.value)
    assert metric in str(refused.value)


@pytest.mark.parametrize("text", ["latency", "0.5x", ""])
def test_a_limit_without_a_metric_shows_how_to_write_one(text: str) -> None:
    """A word without `=` is answered with an example."""
    with pytest.raises(BadLimit, match=r"metric=value, for example latency=0\.5x"):
        parse_limits([text])


@pytest.mark.parametrize("second", ["size=2kB", "size=0.5x"])
def test_two_limits_on_one_metric_contradict(second: str) -> None:
    """Different values for one metric are refused, and both are named."""
    with pytest.raises(BadLimit, match=f"limited twice, to 1kB and to {second[5:]}"):
        parse_limits(["size=1kB", second])


def test_the_same_limit_twice_counts_once() -> None:
    """Saying the same thing in two units is no contradiction."""
    assert [limit.text for limit in parse_limits(["size=1kB", "size=1000B"])] == ["1kB"]


def test_a_limit_without_a_figure_is_refused() -> None:
    """A device without an energy model can't hold an energy limit, absolute or not."""
    with pytest.raises(BadLimit, match="energy=3mJ can't be held: there is no energy figure"):
        resolve(parse_limits({"energy": "3mJ"}), {"latency_s": 0.1})


METRIC_UNITS = [(metric, unit) for metric in METRICS for unit in UNITS[metric]]


@given(st.sampled_from(METRIC_UNITS), st.decimals(Decimal("0.001"), Decimal("99999"), places=3))
def test_every_unit_is_read_exactly(pair: tuple[str, str], number: Decimal) -> None:
    """The value is the float nearest to number times unit: no rounding twice."""
    metric, unit = pair
    assert parse_limit(metric, f"{number}{unit}").value == float(number * Decimal(UNITS[metric][unit]))


@given(st.sampled_from(sorted(METRICS)), st.floats(1e-12, 1e15))
@example("latency", 9.9996e-5)
@example("size", 999_600.0)
@example("macs", 1.234e14)
def test_what_is_shown_can_be_read_again(metric: str, value: float) -> None:
    """Formatting and parsing again gives the figure to three digits."""
    assert parse_limit(metric, format_figure(METRICS[metric], value)).value == pytest.approx(value, rel=5.1e-3)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("latency_s", 0.000412, "0.412 ms"),
        ("latency_s", 0.0000412, "41.2 µs"),
        ("file_bytes", 51_700, "51.7 kB"),
        ("energy_j", 0.0032, "3.2 mJ"),
        ("macs", 2_293_000, "2.29 M"),
        ("macs", 512, "512"),
        ("peak_bytes", 0, "0 B"),
        ("weight_bytes", 999_999, "1 MB"),
        ("parameters", 431_080, "431 K"),
        ("latency_s", float("nan"), "unknown"),
    ],
)
def test_figures_are_shown_in_sensible_units(name: str, value: float, text: str) -> None:
    """Three digits and the unit that people would choose."""
    assert format_figure(name, value) == text

"""Rounds and judging: limits tightened by what was measured, and like compared with like."""

from __future__ import annotations

from typing import Any

from search.judging import judge
from search.rounds import again, held
from search.steps import finalists, next_recipes

RATIO = {"metric": "latency", "value": 0.5, "text": "0.5x", "ratio": 0.5}


def figure(value: float, source: str = "looked up", error: float = 0.0) -> dict[str, Any]:
    return {"value": value, "source": source, "error": error}


def trial(number: int, latency: float, score: float = 0.9) -> dict[str, Any]:
    costs = {"latency_s": figure(latency)}
    return {"number": number, "state": "done", "costs": costs, "quality": {"score": score, "loss": 0.1}, "recipe": {}}


def result(number: int, latency: float, untouched: float = 1.0) -> dict[str, Any]:
    """A finalist measured beside the untouched model."""
    verdicts = judge([RATIO], {"latency_s": figure(latency, "measured")}, {"latency_s": untouched})
    return {"trial": number, "limits": verdicts, "kept": verdicts[0]["kept"], "error": ""}


def prepared(**more: Any) -> dict[str, Any]:
    least = {"latency": figure(0.1)}
    return {"limits": [RATIO], "least_achievable": least, "infeasible": [], "evaluations": 20} | more


def test_the_limit_is_tightened_by_what_was_found() -> None:
    """Measured 10 % slower than estimated: estimates are held to 0.5 / 1.1 and a little less; ten trials more."""
    more = again(prepared(), [trial(3, 0.48)], [result(3, 0.528)])
    assert more is not None
    (limit,) = held(more)
    assert 0.98 * 0.5 / 1.1 < limit["value"] < 0.5 / 1.1
    assert more["evaluations"] == 30
    assert more["rounds"][0]["reason"].startswith("finalists came out 10 % slower than estimated; the search went on")
    assert more["limits"] == [RATIO]


def test_a_machine_that_is_slower_today_is_not_the_model_s_fault() -> None:
    """Both networks 1.2 times as slow: the ratio holds, the finalist is kept, nothing goes on."""
    assert again(prepared(), [trial(3, 0.45)], [result(3, 0.54, untouched=1.2)]) is None


def test_nothing_measured_nothing_to_learn() -> None:
    """Without a measured finalist there is no further round."""
    results = [{"trial": 3, "limits": [], "kept": False, "error": "it can't be exported"}]
    assert again(prepared(), [trial(3, 0.48)], results) is None


def test_no_recipe_yet_means_more_evaluations() -> None:
    """Every estimate was over a limit that can be kept: twice half as many evaluations again, under the same limit."""
    trials = [trial(0, 0.52) | {"state": "infeasible"}]
    first = again(prepared(), trials, [])
    assert first is not None
    assert (first["evaluations"], held(first)[0]["value"]) == (30, RATIO["value"])
    assert first["rounds"][0]["reason"] == "no recipe had kept every limit; the search went on"
    second = again(first, trials, [])
    assert second is not None
    assert again(second, trials, []) is None


def test_no_recipe_where_there_can_be_none_ends_the_search() -> None:
    """A limit below the least achievable, or nothing but failures: more evaluations would bring nothing."""
    assert again(prepared(infeasible=["latency"]), [], []) is None
    assert again(prepared(), [{"number": 0, "state": "failed", "costs": {}, "recipe": {}}], []) is None


def test_after_two_rounds_it_is_over() -> None:
    """Each round tightens further, and its finalists are new ones; a third is not given."""
    trials = [trial(0, 0.48), trial(1, 0.44), trial(2, 0.30)]
    first = again(prepared(), trials, [result(0, 0.528)])
    assert first is not None
    assert finalists(first, trials) == [1, 2]
    second = again(first, trials, [result(0, 0.528), result(1, 0.55)])
    assert second is not None
    assert held(second)[0]["value"] < held(first)[0]["value"]
    assert finalists(second, trials) == [2]
    assert second["evaluations"] == 40
    assert again(second, trials, [result(2, 0.6)]) is None


def test_a_round_without_finalists_is_followed_by_another() -> None:
    """Nothing kept the tightened limit: more evaluations under the same one, once."""
    trials = [trial(0, 0.48)]
    first = again(prepared(), trials, [result(0, 0.528)])
    assert first is not None
    second = again(first, trials, [result(0, 0.528)])
    assert second is not None
    assert held(second) == held(first)
    assert second["rounds"][1]["reason"].startswith("no recipe had kept the tightened limit")
    assert again(second, trials, [result(0, 0.528)]) is None


def test_no_limit_is_tightened_below_what_can_be_reached() -> None:
    """However far off a measurement is, the strongest recipe may still be tried."""
    more = again(prepared(), [trial(3, 0.48)], [result(3, 48.0)])
    assert more is not None
    assert held(more)[0]["value"] == 0.1


def test_a_given_recipe_is_not_searched_on() -> None:
    """There is nothing else to try."""
    assert again(prepared(given={"steps": []}), [trial(0, 0.48)], [result(0, 0.6)]) is None
    assert next_recipes(prepared(given={"steps": []}), [], [trial(0, 0.48)]) == []


def test_energy_is_never_compared_across_sources() -> None:
    """A metered finalist is held to a share of the metered untouched model, a modelled one to the modelled limit."""
    limit = {"metric": "energy", "value": 0.5e-3, "text": "0.5x", "ratio": 0.5}
    (metered,) = judge([limit], {"energy_j": figure(0.02, "measured")}, {"energy_j": 0.05})
    (modelled,) = judge([limit], {"energy_j": figure(0.4e-3, "modelled", 0.5)}, {})
    assert (metered["value"], metered["kept"], metered["source"]) == (0.025, True, "measured")
    assert (modelled["value"], modelled["kept"], modelled["source"]) == (0.5e-3, False, "modelled")


def test_short_searches_learn_from_their_first_trials() -> None:
    """Of twelve evaluations six are asked for at once, then half of those that are left."""
    variables = [["low-rank", f"weight:{n}", [1.0, 0.5, 0.25]] for n in range(4)]
    about = prepared(evaluations=12, seed=0, strategy="random", variables=variables)
    trials = [trial(n, 0.4) | {"recipe": {"steps": []}} for n in range(12)]
    assert [len(next_recipes(about, [], trials[:n])) for n in (0, 6, 9, 11, 12)] == [6, 3, 2, 1, 0]

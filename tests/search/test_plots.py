"""Figures: what they hold, and that nothing a user named can become markup."""

from __future__ import annotations

import json
from typing import Any

import pytest

from search import plots
from tests import documents

EVIL = "</script><img src=x onerror=alert(1)>"


def series(figure: object, name: str) -> dict[str, Any]:
    """One series of a figure, by its name in the legend."""
    data = json.loads(plots.embedded(figure))["data"]
    return next(s for s in data if s.get("name") == name)


def test_front_points_carry_their_trial_numbers():
    """Every trial with costs is in exactly one series, and customdata says which it is."""
    figure = plots.front_figure(documents.trials(), documents.outcome()["limits"], documents.reference())
    data = json.loads(plots.embedded(figure))["data"]
    numbers = [n for s in data if s["mode"] == "markers" for n in s["customdata"]]
    assert sorted(numbers) == [-1, *range(24)]


def test_front_is_a_rising_stair():
    """Along the front more cost always buys better quality."""
    front = series(plots.front_figure(documents.trials(), [], documents.reference()), "front")
    assert front["x"] == sorted(front["x"])
    assert all(a < b for a, b in zip(front["y"], front["y"][1:]))


def test_what_was_not_scored_stands_at_the_foot():
    """A trial refused for its cost has no quality, and is drawn below all that have one."""
    figure = plots.front_figure(documents.trials(), [], documents.reference())
    (ground,) = set(series(figure, "over a limit, not scored")["y"])
    scores = [t["quality"]["score"] for t in documents.trials() if t["quality"]]
    low, _ = json.loads(plots.embedded(figure))["layout"]["yaxis"]["range"]
    assert low < ground < min(scores)


def test_what_lies_far_below_stands_at_the_foot_too():
    """A ruined trial doesn't squash the others: it is drawn at the foot, as a triangle, with its score in the text."""
    ruined = documents.trial(24, 0.2) | {"quality": documents.quality(0.1)}
    points = series(plots.front_figure([*documents.trials(), ruined], [], documents.reference()), "within all limits")
    index = points["customdata"].index(24)
    assert points["y"][index] == pytest.approx(0.984 - 0.25, abs=0.01)
    assert points["marker"]["symbol"][index] == "triangle-down-open"
    assert "10.00 %" in points["text"][index]


def test_energy_is_stacked_by_level():
    """One series per level with both networks, which add up to the whole, in one unit."""
    data = json.loads(plots.embedded(plots.energy_figure(documents.outcome())))
    assert [s["name"] for s in data["data"]] == ["arithmetic", "level 1", "DRAM"]
    assert [sum(s["x"][i] for s in data["data"]) for i in (0, 1)] == pytest.approx([0.14, 0.056])
    assert data["layout"]["barmode"] == "stack"


def test_only_limits_on_the_axis_are_drawn():
    """A size limit is no line on a latency axis; its own axis has one line and one shaded area."""
    limits = [{"metric": "size", "value": 300_000, "text": "300kB"}]
    shapes = [
        json.loads(plots.embedded(plots.front_figure(documents.trials(), limits, None, x=x)))["layout"].get(
            "shapes", []
        )
        for x in ("latency_s", "file_bytes")
    ]
    assert [[s["type"] for s in page] for page in shapes] == [[], ["rect", "line"]]


def test_error_bars_reach_to_the_upper_confidence_limit():
    """The bar of a point is its relative error times its value, in the unit of the axis."""
    figure = plots.front_figure(documents.trials(), [], documents.reference())
    points = series(figure, "untouched")
    assert points["error_x"]["array"][0] == pytest.approx(0.01 * points["x"][0])


def test_best_so_far_never_falls():
    """The line of the history is the running best among trials within all limits."""
    line = series(plots.history_figure(documents.trials(), documents.reference()), "best so far")
    assert line["y"] == sorted(line["y"])
    assert line["y"][-1] == max(t["quality"]["score"] for t in documents.trials() if t["state"] == "done")


def test_layers_show_both_sides_and_the_choices():
    """Each layer has an untouched and a compressed bar; its choices are in the hover text."""
    figure = plots.layers_figure(documents.outcome(), "macs")
    before, after = series(figure, "untouched"), series(figure, "compressed")
    assert before["x"][1] == pytest.approx(1.6)
    assert after["x"][1] == pytest.approx(1.6 / 3, rel=1e-3)
    assert "channel-pruning: 0.5" in after["customdata"][0][0]


def test_savings_are_shares_of_the_untouched():
    """A bar at 0.4 stands for 40 % of the untouched latency; the limit of 0.5x stands at 0.5."""
    figure = plots.savings_figure(documents.outcome())
    assert series(figure, "compressed")["x"][0] == pytest.approx(0.4)
    assert series(figure, "limit")["x"][0] == pytest.approx(0.5)


def test_empty_searches_still_draw():
    """Before the first trial there is a figure with axes and nothing on them."""
    assert json.loads(plots.embedded(plots.front_figure([], [], None)))["data"] == []
    assert json.loads(plots.embedded(plots.history_figure([])))["data"][2]["x"] == []


def test_names_from_users_stay_text():
    """A layer, origin or choice that looks like markup leaves neither the script element nor the hover text."""
    outcome = documents.outcome()
    outcome["layers"][0] |= {"name": EVIL, "choices": {EVIL: EVIL}}
    trial = documents.trial(0, 0.3) | {"origin": EVIL}
    for figure in (plots.layers_figure(outcome), plots.front_figure([trial], [], None)):
        text = plots.embedded(figure)
        assert "<" not in text
        assert "\\u003cimg" not in text

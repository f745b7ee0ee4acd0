"""Outcomes in words."""

from __future__ import annotations

from search import summary
from search.amounts import amount, quality_name, ratio, scale
from search.choice_words import choice_words
from tests import documents


def test_headline_says_where_each_figure_comes_from():
    """The row of a measured figure with 1 % error says so."""
    rows = {line.name: line for line in summary.headline(documents.outcome())}
    assert rows["Latency"].source == "measured, ±1 %"
    assert (rows["Latency"].change, rows["Latency"].better) == ("0.40×", True)


def test_headline_gives_accuracy_with_images_and_interval():
    """Accuracy never stands alone."""
    line = summary.headline(documents.outcome())[0]
    assert line.before == "98.40 % (97.3 to 99.5)"
    assert line.source == "measured on 500 samples"
    assert line.change == "−0.60 points"


def test_a_dearer_figure_is_not_better():
    """A compressed model that is slower than the untouched one is marked as such."""
    outcome = documents.outcome()
    outcome["compressed"]["costs"]["latency_s"]["value"] = 1.0
    assert {line.name: line.better for line in summary.headline(outcome)}["Latency"] is False


def test_without_an_answer_the_table_has_dashes():
    """An infeasible outcome still shows the untouched model."""
    line = summary.headline(documents.infeasible())[1]
    assert (line.before, line.after, line.change) == ("0.21 ms", "–", "–")


def test_verdict_of_each_outcome():
    """One sentence: what was gained and what it cost, or the reason."""
    assert summary.verdict(documents.outcome()).startswith(
        "All limits are kept: 0.40× the latency and 0.16× the file size"
    )
    assert "0.60 points lower" in summary.verdict(documents.outcome())
    assert summary.verdict(documents.infeasible()) == documents.infeasible()["reason"]


def test_limits_are_shown_absolute_with_what_was_written():
    """A ratio is shown as the value that it came to."""
    assert summary.limit_lines(documents.outcome())[0] == (
        "Latency",
        "at most 0.105 ms (0.5x)",
        "84 µs",
        "measured, ±1 %",
        True,
    )
    assert summary.limit_lines(documents.infeasible())[0][3:] == ("–", None)


def test_choices_in_words():
    """Each method's value says what it does."""
    assert choice_words("channel-pruning", 0.5) == "keeps 50 % of the channels"
    assert choice_words("weight-sharing", 4) == "16 shared values (4 bits)"
    assert choice_words("low-rank", 0.25) == "25 % of the full rank"
    assert choice_words("sparsity", 0.05) == "keeps 5 % of the weights"
    assert choice_words("sparsity", "2:4") == "2:4"
    assert choice_words("quantization", "w4g32") == "4-bit weights, groups of 32"
    assert choice_words("dorefa", "w1a2") == "1-bit weights, 2-bit activations"
    assert choice_words("circulant", 8) == "circulant blocks of 8"


def test_heads_and_groups_are_not_called_channels():
    """A recipe's line, and a layer's, say what is counted at the site."""
    recipe = {"steps": [{"method": "channel-pruning", "choices": {"heads:q": 0.75, "channels:q": 0.5}}]}
    words = [words for _, _, words in summary.recipe_lines(recipe)]
    assert words == ["keeps 75 % of the heads", "keeps 50 % of the channels"]
    layer = {"name": "q", "choices": {"channel-pruning of heads": 0.75, "channel-pruning": 0.5}}
    chosen = summary.layer_lines({"layers": [layer]})[0].choices
    assert chosen == "channel-pruning: keeps 75 % of the heads, channel-pruning: keeps 50 % of the channels"


def test_axis_units_follow_the_largest_value():
    """Milliseconds for milliseconds; ratios keep the digits that matter."""
    assert scale("latency_s", [0.002, 0.0001]) == (1e-3, "ms")
    assert scale("accuracy", [0.5]) == (1.0, "")
    assert (ratio(0.5, 1), ratio(0.031, 1), ratio(1, 0)) == ("0.50×", "0.031×", "–")
    assert amount("latency_s", None) == "–"


def test_the_score_is_named_after_what_it_is():
    """Accuracy only where it is one; "quality" where nothing is known."""
    names = [quality_name({"score": 0.9, key: 0.9, "loss": 0.1}) for key in ("accuracy", "fit", "agreement")]
    assert names == ["Accuracy", "Fit to the labels", "Agreement with the original"]
    assert quality_name({}) == "Quality"
    outcome = documents.outcome()
    for side in ("untouched", "compressed"):
        outcome[side]["quality"]["fit"] = outcome[side]["quality"].pop("accuracy")
    assert summary.headline(outcome)[0].name == "Fit to the labels"
    assert summary.verdict(outcome).endswith("fit to the labels 0.60 points lower.")

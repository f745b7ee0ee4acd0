"""The report: whole, offline, and safe whatever the layers are called."""

from __future__ import annotations

import base64
import gzip
import re
from pathlib import Path

from plotly.offline import get_plotlyjs

from search.report import render, write_report
from tests import documents

EVIL = "<script>alert(1)</script>"


def test_report_names_nothing_outside_itself(tmp_path: Path):
    """No address of another host or file in anything the browser would load; the policy forbids it as well."""
    path = tmp_path / "report.html"
    write_report(documents.outcome(), documents.trials(), documents.reference(), path)
    page = re.sub(r'<script type="text/plain".*?</script>', "", path.read_text(), flags=re.S)
    assert not re.findall(r'(?:src|href)\s*=\s*"', page)
    assert not re.findall(r"url\(|@import|https?://", page)
    assert "default-src 'none'" in page


def test_report_carries_the_plotting_script():
    """What is packed into the page is Plotly's own script, byte for byte."""
    page = render(documents.outcome(), documents.trials(), documents.reference())
    packed = re.search(r'id="packed-plotly">([^<]*)<', page)
    assert packed is not None
    assert gzip.decompress(base64.b64decode(packed[1])).decode() == get_plotlyjs()


def test_report_is_the_same_twice():
    """Equal documents give equal bytes, so that a bundle can be rebuilt."""
    pages = [render(documents.outcome(), documents.trials(), documents.reference()) for _ in range(2)]
    assert pages[0] == pages[1]


def test_report_tells_what_a_reader_asks():
    """Headline, limits, recipe, flags and receipt are in the page as text, scripts or not."""
    page = render(documents.outcome(), documents.trials(), documents.reference(), {"seed": 7})
    for fact in (
        "97.80 %",
        "84 µs",
        "✓ kept",
        "keeps 50 % of the channels",
        "conv1 in int8 is slower",
        "277 kB",
        "seed",
    ):
        assert fact in page


def test_report_says_why_the_recipe_looks_like_this():
    """What each method brings by itself, that the search went on, and where the energy goes, each with its source."""
    page = render(documents.outcome(), documents.trials(), documents.reference())
    for fact in (
        "After 24 trials, finalists came out 4.0 % slower than estimated",
        "not used: no gain in latency here",
        "no place for it in this model on local-onnxruntime",
        "looked up, ±5 %",
        "Energy of one call by level, modelled",
    ):
        assert fact in page


def test_report_of_an_infeasible_search_gives_the_least_achievable():
    """Where nothing is returned, the page says what could be reached."""
    page = render(documents.infeasible(), [], documents.reference())
    assert "The limits can&#39;t be kept" in page or "The limits can't be kept" in page
    assert "Least achievable" in page
    assert "30 µs" in page


def test_report_escapes_what_users_named():
    """A layer named like a script stays text."""
    outcome = documents.outcome(flags=[EVIL])
    outcome["layers"][0]["name"] = EVIL
    assert EVIL not in render(outcome, documents.trials(), documents.reference(), {"name": EVIL})

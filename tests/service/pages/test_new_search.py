"""The form of a new search: what it starts, what it keeps and what it says is wrong."""

from __future__ import annotations

import re
from typing import Any

from fastapi.testclient import TestClient

from service.schemas import SearchRequest
from service.workspace import Workspace
from tests.service import gallery
from tests.service.page_text import text_of


def filled(**changes: Any) -> dict[str, Any]:
    """The fields of the form."""
    fields = {"device": "local-onnxruntime", "limit_latency": "0.5x", "evaluations": "12", "seed": "3"}
    return fields | {"strategy": "plan", "dataset": "digits", "key": "k"} | changes


def test_the_form_starts_a_search(client: TestClient, workspace: Workspace):
    """Sent twice by an impatient finger, it is still one search, with what was filled in."""
    model = gallery.add_model(workspace)
    sent = [
        client.post("/searches/new", files={"x": ""}, data=filled(model=model), follow_redirects=False) for _ in "ab"
    ]
    assert [answer.status_code for answer in sent] == [303, 303]
    assert len({answer.headers["location"] for answer in sent}) == 1
    request = client.get("/v1" + sent[0].headers["location"]).json()["request"]
    assert SearchRequest.model_validate(request).limits == {"latency": "0.5x"}
    assert (request["evaluations"], request["seed"], request["model"]) == (12, 3, model)


def test_the_form_keeps_what_was_written_and_says_what_is_wrong(client: TestClient, workspace: Workspace):
    """Every error stands at its field; every value is still there."""
    model = gallery.add_model(workspace)
    wrong = filled(model=model, limit_latency="5 msec", limit_size="200kB", evaluations="many", name="mine <b>")
    answer = client.post("/searches/new", files={"x": ""}, data=wrong)
    assert answer.status_code == 422
    assert "write a whole number" in text_of(answer.text)
    assert f'<option value="{model}" selected>' in answer.text
    assert 'value="5 msec"' in answer.text
    assert 'value="mine &lt;b&gt;"' in answer.text
    again = client.post("/searches/new", files={"x": ""}, data=wrong | {"evaluations": "5"}).text
    assert 'id="limit_latency" name="limit_latency" value="5 msec" autocomplete="off"' in again
    assert 'aria-invalid="true" aria-describedby="error-limit_latency"' in again
    assert "msec isn't a unit of latency" in text_of(again)


def test_an_empty_form_names_everything_that_is_missing(client: TestClient):
    """Model, data and limits are each asked for."""
    seen = text_of(client.post("/searches/new", files={"x": ""}, data=filled(dataset="", limit_latency="")).text)
    for words in ("choose a model, or upload one", "choose a data set, or upload one", "give at least one limit"):
        assert words in seen


def test_a_file_that_is_no_model_is_refused_at_its_field(client: TestClient):
    """A pickle under the name of a model comes back with the remedy, and the other fields keep their values."""
    files = {"model_file": ("m.fwm", b"\x80\x04pickle"), "dataset_file": ("d.npz", b"not an npz")}
    page = client.post("/searches/new", data=filled(), files=files).text
    seen = text_of(page)
    assert "pickles run code and are never read" in seen
    assert "d.npz isn't a data set" in seen
    assert 'value="0.5x"' in page


def test_every_field_has_a_label(client: TestClient):
    """Whoever can't see the page is told what each field is."""
    page = client.get("/searches/new").text
    fields = re.findall(r'<(?:input|select)[^>]*\sid="([^"]+)"', page)
    assert len(fields) == 14 - 1
    assert set(fields) <= set(re.findall(r'<label for="([^"]+)"', page))

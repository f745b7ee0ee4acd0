"""The pages: whole without script, nothing from elsewhere, nothing of a user's taken for markup."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.dashboard import model_pages
from service.models import add_model
from service.workspace import Workspace
from tests import documents
from tests.service import gallery
from tests.service.helpers import tiny_fwm
from tests.service.page_text import text_of

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def pages(made: dict[str, str]) -> list[str]:
    """The address of every page."""
    searches = [f"/searches/{made[kind]}" for kind in ("feasible", "infeasible", "failed", "running", "queued")]
    lists = ["/", "/searches/new", "/models", "/devices", "/devices/eyeriss-analytical", "/schedules"]
    lists.append(f"/batches/{made['batch']}")
    lists.append(f"/models/{made['model']}")
    return [*lists, *searches, f"/searches/{made['running']}?trial=3&x=file_bytes"]


def test_every_page_loads_from_this_service_alone(client: TestClient, made: dict[str, str]):
    """No src, href, action or style names another host, and the policy forbids what was missed."""
    for address in pages(made):
        answer = client.get(address)
        assert answer.status_code == 200
        named = re.findall(r"(?:src|href|action)\s*=\s*[\"']?([^\"'\s>]+)", answer.text)
        assert named
        assert not [n for n in named if not n.startswith(("/", "?", "#")) or n.startswith("//")]
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy


def test_no_page_has_a_script_in_it(client: TestClient, made: dict[str, str]):
    """Every script element is a file of this service or data; no handlers stand in attributes."""
    for address in pages(made):
        page = client.get(address).text
        assert set(re.findall(r"<script([^>]*)>", page)) <= {
            *re.findall(r"<script( src=\"/static/[^>]*)>", page),
            *re.findall(r"<script( type=\"application/json\"[^>]*)>", page),
        }
        assert not re.findall(r"<[^>]+\son\w+\s*=", page)


def test_every_static_file_is_there(client: TestClient, made: dict[str, str]):
    """What pages name can be loaded, and kept for long."""
    named = {n for address in pages(made) for n in re.findall(r'"(/static/[^"]+)"', client.get(address).text)}
    assert len(named) == 6
    for name in named:
        answer = client.get(name)
        assert answer.status_code == 200
        assert "max-age=31536000" in answer.headers["cache-control"]


def test_home_says_what_runs_finished_and_failed(client: TestClient, made: dict[str, str]):
    """Progress, headline numbers and reasons stand in the page itself."""
    seen = text_of(client.get("/").text)
    for fact in ("16 of 40, about 2 min left", "✓ fits 97.80 % −0.60 points 84 µs 0.40× 277 kB 0.16×"):
        assert fact in seen
    assert "samples are [1, 8, 8] but the model takes [1, 28, 28]" in seen
    assert documents.infeasible()["reason"] in seen


def test_an_empty_service_says_how_to_begin(client: TestClient):
    """Before the first search: a form, a command line, a request."""
    page = client.get("/").text
    assert 'href="/searches/new"' in page
    assert "fitwright search m.fwm" in page
    assert "curl" in page


def test_a_search_can_be_followed_without_script(client: TestClient, made: dict[str, str]):
    """The page reloads itself where no script does it, and has the table of trials with links."""
    page = client.get(f"/searches/{made['running']}").text
    assert '<noscript><meta http-equiv="refresh"' in page
    assert '<progress id="bar-search" max="100" value="40"' in page
    assert "8 within all limits, 8 over a limit" in text_of(page)
    assert 'href="?trial=3&amp;x=latency_s#trial"' in page


def test_a_finished_search_shows_its_result_and_files(client: TestClient, made: dict[str, str]):
    """Untouched against compressed, limits, the bundle, and no more reloading."""
    page = client.get(f"/searches/{made['feasible']}").text
    seen = text_of(page)
    assert "http-equiv" not in page
    assert "Latency 0.21 ms 84 µs 0.40× measured, ±1 %" in seen
    assert "Latency at most 0.105 ms (0.5x) 84 µs measured, ±1 % ✓ kept" in seen
    bundle = re.search(r'href="(/v1/searches/[^"]+/bundle.zip)" download', page)
    assert bundle is not None
    assert client.get(bundle[1]).content == b"bundle.zip"


def test_a_trial_in_the_address_shows_its_recipe(client: TestClient, made: dict[str, str]):
    """The selection is part of the address, so that it can be sent to somebody."""
    seen = text_of(client.get(f"/searches/{made['feasible']}?trial=3").text)
    share = documents.trial(3, 0.15 + 0.8 * 21 / 24)["recipe"]["steps"][0]["choices"]["channels:conv1"]
    assert f"conv1 channel-pruning keeps {100 * share:.4g} % of the channels" in seen


def test_what_could_be_reached_is_told_where_a_limit_cannot_be_kept(client: TestClient, made: dict[str, str]):
    """An infeasible search ends with the least achievable value, and offers no download."""
    page = client.get(f"/searches/{made['infeasible']}").text
    assert "Latency 30 µs looked up" in text_of(page)
    assert "Download" not in page


def test_names_from_users_stay_text(client: TestClient, workspace: Workspace):
    """Names, reasons, layers, choices and errors that look like markup change nothing on any page."""
    model = gallery.add_model(workspace, EVIL)
    failed, ended = (gallery.add_search(workspace, model, name=EVIL) for _ in range(2))
    gallery.set_failed(workspace, failed, EVIL)
    outcome = documents.outcome(flags=[EVIL], reason=EVIL)
    outcome["layers"][0] |= {"name": EVIL, "choices": {EVIL: EVIL}}
    gallery.set_succeeded(workspace, ended, outcome)
    found = gallery.inspection()
    group = found["groups"][0] | {"site": EVIL, "made_by": [EVIL]}
    frozen = [{"site": EVIL, "units": 1, "reason": EVIL}]
    gallery.set_inspected(workspace, model, found | {"groups": [group], "frozen": frozen, "outputs": [EVIL]})
    for address in ("/", "/searches/new", "/models", f"/models/{model}", f"/searches/{failed}", f"/searches/{ended}"):
        page = client.get(address).text
        assert "alert(1)" in page
        assert "<script>alert" not in page
        assert "<img" not in page


def test_a_model_shows_what_it_offers(client: TestClient, made: dict[str, str]):
    """Coverage, groups by kind with their layers, blocks, and what is frozen with the reason, without script."""
    page = client.get(f"/models/{made['model']}").text
    seen = text_of(page)
    assert "Over 99 % of the parameters and 100 % of the MACs can be pruned." in seen
    assert "heads:layer.self_attn.in_proj 2 " in seen
    assert "made by layer.self_attn.in_proj read by layer.self_attn.out_proj" in seen
    assert "block:layer.linear1" in seen
    assert "it is an output of the network" in seen
    assert page.count('class="track"') == 2 * 4
    assert "Attention heads 1 group 34 % 55 %" in seen
    assert "<script" not in page


def test_models_are_linked(client: TestClient, made: dict[str, str]):
    """From every page to the list, from a search to its model, and from there to the form with it chosen."""
    assert 'href="/models"' in client.get("/").text
    assert f'href="/models/{made["model"]}"' in client.get("/models").text
    assert f'href="/models/{made["model"]}"' in client.get(f"/searches/{made['feasible']}").text
    form = re.search(r'href="(/searches/new[^"]+)"', client.get(f"/models/{made['model']}").text)
    assert form is not None
    assert f'<option value="{made["model"]}" selected>' in client.get(form[1]).text


def test_a_model_is_uploaded_on_its_page(client: TestClient, tmp_path: Path):
    """It leads to what the model offers; a file that is none is refused at its field, as is none at all."""
    with tiny_fwm(tmp_path).open("rb") as file:
        sent = client.post("/models", files={"model_file": ("tiny.fwm", file)}, follow_redirects=False)
    assert (sent.status_code, sent.headers["location"][:12]) == (303, "/models/mdl_")
    assert ">tiny</a>" in client.get("/models").text
    pickled = client.post("/models", files={"model_file": ("m.fwm", b"\x80\x04pickle")})
    assert pickled.status_code == 422
    assert 'aria-invalid="true" aria-describedby="error-model_file"' in pickled.text
    assert "pickles run code and are never read" in text_of(pickled.text)
    assert "choose a file" in text_of(client.post("/models", files={"x": ""}).text)


def test_a_model_that_takes_long_shows_itself_meanwhile(
    client: TestClient, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The page comes at once and looks again by itself, with script and without; then it has the tables."""
    model = add_model(workspace, tiny_fwm(tmp_path), confined=False)
    monkeypatch.setattr(model_pages, "WAIT_S", 0.0)
    page = client.get(f"/models/{model}").text
    assert "The model is being looked into" in text_of(page)
    assert '<noscript><meta http-equiv="refresh"' in page
    assert "data-refresh" in page
    monkeypatch.setattr(model_pages, "WAIT_S", 60.0)
    assert "channels:0" in client.get(f"/models/{model}").text


def test_a_model_that_cannot_be_followed_says_why(
    client: TestClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    """Its facts are still there."""
    monkeypatch.setattr(model_pages, "WAIT_S", 60.0)
    seen = text_of(client.get(f"/models/{gallery.add_model(workspace, 'odd')}").text)
    assert "can't be looked into" in seen
    assert "431,080" in seen


def test_cancel_is_a_form(client: TestClient, made: dict[str, str]):
    """It works without script, and leads back to the search."""
    answer = client.post(f"/searches/{made['queued']}/cancel", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/searches/{made['queued']}")
    assert "cancelled" in text_of(client.get(answer.headers["location"]).text)


def test_forms_of_other_sites_are_refused(client: TestClient, made: dict[str, str]):
    """A page elsewhere can neither cancel nor start anything; nor can one without an origin."""
    for origin in ("http://evil.example", "http://127.0.0.1:9999", "null"):
        for address in (f"/searches/{made['running']}/cancel", "/searches/new"):
            assert client.post(address, headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize(
    "address",
    ["/searches/srh_nothing", "/batches/bat_x", "/models/mdl_x", "/searches/%3Cb%3E", "/static/nothing.js"],
)
def test_what_is_not_there_is_a_page_too(client: TestClient, address: str):
    """404 with a way back, and nothing of the address as markup."""
    answer = client.get(address)
    assert answer.status_code == 404
    assert "To all searches" in answer.text
    assert "<b>" not in answer.text

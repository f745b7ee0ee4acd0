"""What a model offers to a search: over REST, through the client, and kept once it was found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from torch import nn

from db import models
from db.models import ModelRow
from methods.graph import file
from methods.graph.intake.capture import capture
from methods.importance.catalogue import IMPORTANCES
from service import inspecting
from service.app import create_app
from service.client import Client, ClientError
from service.datasets import add_dataset
from service.inspecting import NotYet, inspection, kept_at
from service.models import add_model
from service.settings import Settings, load_settings
from service.workspace import Workspace
from tests.service import gallery
from tests.service.helpers import NoExecutor, tiny_fwm
from tests.zoo.catalogue import network

BASE = "http://127.0.0.1:8077"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """What is inspected is a file; SQLite will do."""
    return load_settings(home=tmp_path, workers=0, scheduler=False)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """The app with nobody working."""
    with TestClient(create_app(settings, NoExecutor()), base_url=BASE) as opened:
        yield opened


def row_of(workspace: Workspace, model: str) -> ModelRow:
    with workspace.database.read() as session:
        return models.get(session, model)


@pytest.fixture
def transformer(workspace: Workspace, tmp_path: Path) -> str:
    """A small transformer that was uploaded."""
    path = tmp_path / "transformer.fwm"
    file.write(capture(*network("transformer")), path)
    return add_model(workspace, path, confined=False)


def test_a_transformer_is_inspected_over_rest(client: TestClient, transformer: str):
    """Heads, hidden width and blocks are named, with the layers that make and read them."""
    found = Client(http=client).inspect(transformer)
    groups = {group["site"]: group for group in found["groups"]}
    heads = groups["heads:layer.self_attn.in_proj"]
    assert (heads["kind"], heads["units"], heads["read_by"]) == ("attention heads", 2, ["layer.self_attn.out_proj"])
    assert groups["channels:layer.linear1"]["units"] == 32
    assert groups["channels:embed"]["along"] == ["layer.norm1", "layer.norm2"]
    assert [block["site"] for block in found["blocks"]] == ["block:layer.self_attn", "block:layer.linear1"]
    assert found["coverage"]["channels_share_of_macs"] == 1.0
    assert max(group["relative_error"] for group in found["groups"]) < 1e-5


def test_what_was_found_is_kept(client: TestClient, workspace: Workspace, tmp_path: Path):
    """Who can't wait is told to come back; the work goes on once for all who ask, and its result is kept in place of
    whatever was spoilt; from then on the file is read."""
    row = row_of(workspace, add_model(workspace, tiny_fwm(tmp_path), confined=False))
    kept = kept_at(workspace, row)
    kept.write_text("{")
    with pytest.raises(NotYet, match="ask again"):
        inspection(workspace, row, wait_s=0.0)
    found = inspection(workspace, row)
    assert found["parameters"] == 67
    assert json.loads(kept.read_text()) == found
    assert sorted(path.suffix for path in kept.parent.iterdir()) == [".fwm", ".json"]
    kept.write_text(json.dumps(found | {"parameters": -1}))
    assert client.get(f"/v1/models/{row.id}/inspection").json()["parameters"] == -1


def test_a_model_that_is_not_there_is_a_problem(client: TestClient):
    """404 with the id, as for the model itself."""
    answer = client.get("/v1/models/mdl_01890000000000000000000000/inspection")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    with pytest.raises(ClientError, match="there is no model"):
        Client(http=client).inspect("nothing")


def test_a_file_that_cannot_be_followed_is_a_problem(client: TestClient, workspace: Workspace):
    """422 with the reason; one whose file is gone, 409 with the remedy."""
    broken = gallery.add_model(workspace)
    answer = client.get(f"/v1/models/{broken}/inspection")
    assert (answer.status_code, answer.json()["type"]) == (422, "/v1/problems/invalid")
    assert "can't be looked into" in answer.json()["detail"]
    workspace.blobs.path(row_of(workspace, broken).sha256, ".fwm").unlink()
    gone = client.get(f"/v1/models/{broken}/inspection")
    assert (gone.status_code, gone.json()["type"]) == (409, "/v1/problems/conflict")
    assert "upload it again" in gone.json()["detail"]


def test_a_model_may_take_only_so_long(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What takes longer than the limit is refused with that limit, and isn't tried again at once."""
    row = row_of(workspace, add_model(workspace, tiny_fwm(tmp_path), confined=False))
    monkeypatch.setattr(inspecting, "INSPECT_S", 0.05)
    with pytest.raises(inspecting.UnclearModel, match=r"more than 0\.05 s"):
        inspection(workspace, row)
    monkeypatch.undo()
    with pytest.raises(inspecting.UnclearModel, match=r"more than 0\.05 s"):
        inspection(workspace, row)
    assert not kept_at(workspace, row).exists()


def test_importances_are_rated_over_rest(client: TestClient, transformer: str, workspace: Workspace, tmp_path: Path):
    """On one's own data, in a process with limits; what was found is kept, and asked for again it is the same."""
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "words.npz", x=rng.integers(0, 50, (60, 7)), y=np.arange(60) % 5)
    data = add_dataset(workspace, tmp_path / "words.npz", confined=False)
    found = Client(http=client).importances(transformer, data)
    assert {line["name"] for line in found["importances"]} == set(IMPORTANCES)
    assert (found["dataset"], found["labelled"]) == (data, True)
    assert 3 <= len(found["removals"]) <= 60
    assert Client(http=client).importances(transformer, data) == found


@pytest.mark.parametrize(
    ("dataset", "status", "reason"),
    [
        ("digits", 422, "samples are [1, 8, 8] but the model takes [7]"),
        ("dat_x", 404, "there is no data set"),
        ("", 404, ""),
    ],
)
def test_importances_need_data_that_fit(client: TestClient, transformer: str, dataset: str, status: int, reason: str):
    """Other shapes and other names are problems that say so; none at all is one too."""
    answer = client.get(f"/v1/models/{transformer}/importances", params={"dataset": dataset})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert reason in answer.json()["detail"]
    assert client.get(f"/v1/models/{transformer}/importances").status_code == 422


def test_importances_are_on_the_models_page(client: TestClient, workspace: Workspace, tmp_path: Path):
    """A form first; while units are removed a page that looks again; then a table with the best importance first."""
    path = tmp_path / "digits.fwm"
    layers = (nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))
    file.write(capture(nn.Sequential(*layers), (torch.zeros(2, 1, 8, 8),)), path)
    model = add_model(workspace, path, confined=False)
    inspection(workspace, row_of(workspace, model))
    page = client.get(f"/models/{model}").text
    assert '<option value="digits">digits (built in)</option>' in page
    waiting = client.get(f"/models/{model}?dataset=digits").text
    assert ("Units are being removed" in waiting and "data-refresh" in waiting) or "foretells" in waiting
    Client(http=client).importances(model, "digits")
    shown = client.get(f"/models/{model}?dataset=digits").text
    assert '<option value="digits" selected>' in shown
    assert "removing 8 units of 1 site, each alone, on 512 samples" in shown
    assert all(f'<th scope="row">{name}' in shown for name in IMPORTANCES)
    assert client.get(f"/models/{model}?dataset=nothing").status_code == 404

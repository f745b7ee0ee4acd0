from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings, load_settings
from service.workspace import Workspace
from tests.service import gallery


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Pages read through the same functions on every database; SQLite will do."""
    return load_settings(home=tmp_path, workers=0, scheduler=False)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """The service without workers."""
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8077") as client:
        yield client


@pytest.fixture
def made(workspace: Workspace) -> dict[str, str]:
    """A search of every kind; ids by kind."""
    return gallery.fill(workspace)

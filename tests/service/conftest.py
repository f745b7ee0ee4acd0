"""What tests of the service start from: a workspace on either database, and a model in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.settings import Settings, load_settings
from service.workspace import Workspace
from tests.databases import database, database_url, postgres, spare_databases

__all__ = ["database", "database_url", "postgres", "spare_databases"]


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Short leases, no workers and no scheduler of its own."""
    return load_settings(
        home=tmp_path,
        database_url=database_url,
        workers=0,
        scheduler=False,
        lease_s=2.0,
        cancel_grace_s=0.5,
        poll_s=0.05,
    )


@pytest.fixture
def workspace(settings: Settings) -> Iterator[Workspace]:
    opened = Workspace(settings)
    yield opened
    opened.close()

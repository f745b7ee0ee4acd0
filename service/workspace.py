"""A Workspace: the database and the folders of one service, opened from its settings."""

from __future__ import annotations

from pathlib import Path

from db.blobs import BlobStore
from db.database import Database, open_database
from db.migrate import upgrade
from service.settings import Settings


class Workspace:
    """What every part of the service works on. Opening it makes the folder and brings the tables up to date."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        settings.home.mkdir(parents=True, exist_ok=True)
        self.database: Database = open_database(settings.database)
        upgrade(self.database)
        self.blobs = BlobStore(settings.home / "blobs")

    def search_folder(self, search_id: str) -> Path:
        """Where a search's bundle and, until it is over, its finalists are written."""
        return self.settings.home / "searches" / search_id

    def close(self) -> None:
        """Gives the database connections back."""
        self.database.close()

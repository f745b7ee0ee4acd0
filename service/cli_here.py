"""The workspace that commands of this folder share with the service (FITWRIGHT_HOME)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.workspace import Workspace


def is_served() -> bool:
    """Whether there is a database already, so that looking into it makes no folder."""
    from service.settings import load_settings

    settings = load_settings()
    return bool(settings.database_url) or (settings.home / "fitwright.db").is_file()


@contextmanager
def reading() -> Iterator[Workspace]:
    """The same for a look at it; where there is none yet, an empty one that is gone afterwards."""
    if is_served():
        with here() as workspace:
            yield workspace
        return
    from service.settings import load_settings
    from service.workspace import Workspace

    with tempfile.TemporaryDirectory(prefix="fitwright-") as folder:
        workspace = Workspace(load_settings(home=Path(folder)))
        try:
            yield workspace
        finally:
            workspace.close()


@contextmanager
def here() -> Iterator[Workspace]:
    """Opens it, and makes it where it isn't there yet."""
    from service.settings import load_settings
    from service.workspace import Workspace

    workspace = Workspace(load_settings())
    try:
        yield workspace
    finally:
        workspace.close()

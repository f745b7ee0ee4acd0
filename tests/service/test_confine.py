"""A process that reads what strangers sent has nothing to take and nowhere to go."""

from __future__ import annotations

import json
import resource
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from service import child

SNOOP = "tests.service.snoop"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a confined process found when it tried."""
    folder = tmp_path_factory.mktemp("confined")
    scratch, secret = folder / "scratch", folder / "secret"
    scratch.mkdir()
    secret.write_bytes(b"secret")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        ended = child.run(SNOOP, ["look", str(scratch), str(secret), port], scratch, 60.0)
    report = scratch / "found.json"
    assert report.exists(), ended
    facts: dict[str, Any] = json.loads(report.read_text())
    return facts | {"written": (folder / "written").exists()}


def test_limits_hold_everywhere(found: dict[str, Any]) -> None:
    """Memory, file size, dumps and the mask of new files, whatever the system."""
    assert found["force"][0] == "limits"
    assert (found["allocate"], found["large file"]) == ("MemoryError", "OSError")
    assert (found["core"], found["umask"]) == (0, 0o077)


def test_what_is_said_to_be_in_force_is(found: dict[str, Any]) -> None:
    """No file outside and no network where the system allows that; where it doesn't, nobody says so."""
    files, network = "files" in found["force"], {"network", "tcp"} & set(found["force"])
    assert (found["read"] == "done") != files
    assert (found["write"] == "done", found["written"]) == (not files, not files)
    assert (found["connect"] == "done") == (not network)
    assert (found["start"] == "done") == (not files)


def test_no_secret_is_in_the_environment(found: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Only names that say where Python and the scratch folder are."""
    monkeypatch.setenv("FITWRIGHT_DATABASE_URL", "postgresql://user:password@host/db")
    allowed = {*child._environment(Path("/tmp")), "LC_CTYPE"}
    assert set(found["environment"]) <= allowed
    assert not [name for name in allowed if name.startswith("FITWRIGHT")]


def test_a_flood_is_ended_and_not_kept(tmp_path: Path) -> None:
    """A child that never stops talking is ended; only the last of it is kept."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended = child.run(SNOOP, ["flood"], tmp_path, 60.0)
    assert (ended.status, ended.late, len(ended.output)) == (-9, False, child.TAIL_BYTES)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10


def test_what_a_late_one_started_ends_with_it(tmp_path: Path) -> None:
    """The whole group is ended, so a process left behind never gets to its work."""
    mark = tmp_path / "mark"
    ended = child.run(SNOOP, ["linger", str(mark)], tmp_path, 1.5)
    assert ended.late
    time.sleep(3.5)
    assert not mark.exists()

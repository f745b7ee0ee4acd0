"""Workers as Ray actors: the same loop, so the same trials."""

from __future__ import annotations

import socket
from pathlib import Path

from service.executors.ray import RayExecutor
from service.settings import load_settings
from service.workspace import Workspace
from tests.service.helpers import row_of, toy_model, toy_search, trials_of, wait_for, work


def listening(pids: set[str]) -> set[str]:
    """Addresses on which any of these processes listens."""
    sockets = {link.readlink().name for pid in pids for link in Path(f"/proc/{pid}/fd").glob("*") if link.is_symlink()}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.add(fields[1].rpartition(":")[0])
    return found


def test_actors_end_with_the_same_trials(tmp_path: Path) -> None:
    """Two actors on a Ray of the service's own, which listens on this machine alone, against one worker here."""
    settings = load_settings(home=tmp_path, workers=2, executor="ray", poll_s=0.05)
    workspace = Workspace(settings)
    model = toy_model(workspace)
    alone = toy_search(workspace, model, evaluations=16)
    work(workspace)
    search_id = toy_search(workspace, toy_model(workspace), evaluations=16)
    executor = RayExecutor(settings, "tests.service.toy_steps")
    executor.start()
    wait_for(lambda: row_of(workspace, search_id).over, seconds=120)
    names = ("gcs_server", "raylet")
    pids = {p.parent.name for p in Path("/proc").glob("[0-9]*/comm") if p.read_text().strip() in names}
    heard = listening(pids)
    executor.stop()
    assert row_of(workspace, search_id).outcome == "feasible"
    assert trials_of(workspace, search_id) == trials_of(workspace, alone)
    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    assert heard
    assert heard <= loopback, socket.gethostname()
    workspace.close()

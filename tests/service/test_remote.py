"""RemoteChannel: requests become jobs, replies come back as if the runtime were here, waiting ends when it should."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from db import agents
from db.agents import AgentRow, Board
from db.base import Json, clock
from db.measure_jobs import MOST_ATTEMPTS, MeasureJobRow
from hwmodels.agent_protocol import read_frame
from hwmodels.base import MeasurementFailed, MissingRuntime, UnsupportedOp
from hwmodels.profilers.channel import Reply
from service import remote_wait
from service.agents import Grant, accept_reply, take_job
from service.heartbeat import Ending, Unwanted
from service.remote import NoAgent, RemoteChannel, remote_channel
from service.watch import Watch, search_teller, watched
from service.workspace import Workspace
from tests.service.agent_calls import ASKED, ROW, frame, times
from tests.service.helpers import row_of, toy_search, wait_for

BOARD = Board("a board, 4 cores", {"onnxruntime": "1.2.3"})
NODES: Json = {"action": "time", "runtime": "onnxruntime", "effort": "nodes", "gauge_s": 0.0}
Answer = Callable[[Json, list[bytes]], bytes]


@pytest.fixture
def board(workspace: Workspace) -> AgentRow:
    """An agent of my-board, which does nothing by itself."""
    return comes(workspace)


def comes(workspace: Workspace, board: Board = BOARD) -> AgentRow:
    with workspace.database.write() as session:
        return agents.register(session, "my-board", board, 1, "0.1")


@contextmanager
def answering(workspace: Workspace, agent: AgentRow, answer: Answer) -> Iterator[list[Json]]:
    """The agent takes jobs and answers them; their headers."""
    over, seen = threading.Event(), list[Json]()

    def work() -> None:
        while not over.wait(0.01):
            taken = take_job(workspace, agent)
            if taken is None:
                continue
            row, request = taken
            with request:
                header, blobs = read_frame(
                    request, workspace.blobs.path(row.request, f".request-{row.id}").stat().st_size
                )
            seen.append(header)
            reply = workspace.settings.home / "reply"
            reply.write_bytes(answer(header, blobs))
            accept_reply(workspace, Grant(row.id, agent.id, row.token), reply)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def named(header: Json, blobs: list[bytes]) -> bytes:
    """Each program's time is the number that it holds, so that order shows."""
    rows = [ROW | {"latency_s": int(b) * 1e-6, "p10_s": 1.0, "median_s": 1.0} for b in blobs]
    return times(rows, gauge_s=1e-6 * int(blobs[0]))


def jobs(workspace: Workspace) -> list[MeasureJobRow]:
    with workspace.database.read() as session:
        return list(session.scalars(select(MeasureJobRow).order_by(MeasureJobRow.id)))


def frames(workspace: Workspace) -> list[Path]:
    return [path for path in workspace.blobs.root.rglob("*") if path.is_file()]


def test_without_any_agent_the_command_is_told(workspace: Workspace) -> None:
    """Nothing can be said of the machine, and what to start is."""
    command = "fitwright agent --server http://127.0.0.1:8077 --key KEY --device my-board"
    with pytest.raises(NoAgent, match=command):
        _ = remote_channel(workspace, "my-board@batch=8").machine


def test_machine_and_version_are_the_newest_agents(workspace: Workspace, board: AgentRow) -> None:
    """And stay the same for this channel when another comes; a runtime that isn't there is named."""
    channel = remote_channel(workspace, "my-board")
    assert (channel.machine, channel.version("onnxruntime")) == ("a board, 4 cores", "1.2.3")
    comes(workspace, Board("another", {}))
    assert channel.machine == "a board, 4 cores"
    with pytest.raises(MissingRuntime, match="pip install ai-edge-litert there"):
        channel.version("litert")
    assert remote_channel(workspace, "my-board").machine == "another"


def test_many_programs_become_small_jobs(workspace: Workspace, board: AgentRow) -> None:
    """Forty in three, put together in order; afterwards no frame is left."""
    header = NODES | {"labels": [f"node {n}" for n in range(1, 41)]}
    with answering(workspace, board, named) as seen:
        reply, _ = remote_channel(workspace, "my-board").request(header, [b"%d" % n for n in range(1, 41)])
    assert [round(row["latency_s"] * 1e6) for row in reply["measurements"]] == list(range(1, 41))
    assert reply["gauge_s"] == pytest.approx(1e-6)
    assert [part["labels"] for part in seen] == [header["labels"][:16], header["labels"][16:32], header["labels"][32:]]
    assert [row.state for row in jobs(workspace)] == ["done"] * 3
    assert frames(workspace) == []


@pytest.mark.parametrize("change", [{"effort": "networks"}, {"inputs": [1] * 20}, {"action": "look"}])
def test_what_belongs_together_stays_together(workspace: Workspace, board: AgentRow, change: Json) -> None:
    """Networks that are compared, and whatever else than timing is one job."""
    programs = [b"1"] * 20
    header = NODES | {"labels": ["x"] * 20} | change
    with answering(workspace, board, lambda *_: times([ROW] * 20)):
        remote_channel(workspace, "my-board").request(header, programs)
    assert len(jobs(workspace)) == 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ({"error": "no\x1b[31m kernel\0"}, MeasurementFailed),
        ({"error": "no kernel", "unsupported": True}, UnsupportedOp),
    ],
)
def test_errors_come_back_as_what_they_are(
    workspace: Workspace, board: AgentRow, reply: Json, kind: type[Exception]
) -> None:
    """As a process of this machine would raise them, with nothing that a terminal obeys."""
    with answering(workspace, board, lambda *_: frame(reply)), pytest.raises(kind) as raised:
        remote_channel(workspace, "my-board").request(dict(ASKED), [b"one", b"two"])
    assert str(raised.value).isprintable()
    assert frames(workspace) == []


def test_a_job_that_agents_die_of_fails_with_that_reason(
    workspace: Workspace, board: AgentRow, monkeypatch: Any
) -> None:
    """Whoever waits finds out, even when no agent asks any more."""
    monkeypatch.setattr(remote_wait, "LOOK_S", 0.05)
    found = in_thread(lambda: remote_channel(workspace, "my-board").request(dict(ASKED), [b"one", b"two"]))
    wait_for(lambda: jobs(workspace))
    with workspace.database.write() as session:
        row = session.scalars(select(MeasureJobRow)).one()
        row.state, row.attempt, row.lease_until = "running", MOST_ATTEMPTS, 1.0
    assert isinstance(found(), MeasurementFailed)
    assert str(found()) == "my-board: given up: 5 agents fell silent while they worked on it"


def in_thread(do: Callable[[], object], watch: Watch | None = None) -> Callable[[], object]:
    """Does it beside the test; the call waits for what it returned or raised."""
    found: list[object] = []

    def run() -> None:
        try:
            with watched(watch or Watch(lambda: None, lambda _text: None)):
                found.append(do())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def ended() -> object:
        thread.join(60)
        return found[0]

    return ended


def ask(workspace: Workspace) -> Reply:
    return remote_channel(workspace, "my-board").request(dict(ASKED), [b"1", b"2"])


def test_two_who_ask_the_same_share_a_job_and_a_cancelled_one_leaves_it(workspace: Workspace, board: AgentRow) -> None:
    """The one who was cancelled goes, the other one gets the reply."""
    cancelled = threading.Event()

    def check() -> None:
        if cancelled.is_set():
            raise Unwanted("it was cancelled")

    one = in_thread(lambda: ask(workspace), Watch(check, lambda _text: None))
    wait_for(lambda: jobs(workspace))
    two = in_thread(lambda: ask(workspace))
    wait_for(lambda: jobs(workspace)[0].waiting == 2)
    cancelled.set()
    assert isinstance(one(), Unwanted)
    assert [(row.state, row.waiting) for row in jobs(workspace)] == [("queued", 1)]
    with answering(workspace, board, named):
        assert isinstance(two(), tuple)
    assert len(jobs(workspace)) == 1


def test_a_cancelled_task_withdraws_its_jobs(workspace: Workspace, board: AgentRow) -> None:
    """No agent gets them, and their frames are gone."""

    def check() -> None:
        raise Unwanted("it was cancelled")

    assert isinstance(in_thread(lambda: ask(workspace), Watch(check, lambda _text: None))(), Unwanted)
    assert [row.state for row in jobs(workspace)] == ["withdrawn"]
    assert take_job(workspace, board) is None
    assert frames(workspace) == []


def test_a_worker_that_ends_leaves_its_jobs_to_the_next(workspace: Workspace, board: AgentRow) -> None:
    """What was measured meanwhile is not measured again; what is asked after it was read, is."""

    def check() -> None:
        raise Ending("the worker is to end")

    assert isinstance(in_thread(lambda: ask(workspace), Watch(check, lambda _text: None))(), Ending)
    with answering(workspace, board, named) as seen:
        wait_for(lambda: jobs(workspace)[0].state == "done")
        assert ask(workspace)[0]["measurements"][1]["latency_s"] == pytest.approx(2e-6)
        assert len(seen) == 1
        ask(workspace)
        assert len(seen) == 2


def test_patience_ends(workspace: Workspace, board: AgentRow, monkeypatch: Any) -> None:
    """An agent that stays away too long fails the request, with what to do; the job is withdrawn."""
    monkeypatch.setattr(remote_wait, "LOOK_S", 0.05)
    impatient = Workspace(workspace.settings.model_copy(update={"agent_patience_s": 1.0}))
    with pytest.raises(
        MeasurementFailed, match=r"waiting for an agent of my-board on a board, 4 cores, last seen .* ago"
    ):
        ask(impatient)
    impatient.close()
    assert [row.state for row in jobs(workspace)] == ["withdrawn"]


def test_those_who_watch_are_told_of_the_wait(workspace: Workspace, board: AgentRow, monkeypatch: Any) -> None:
    """The search's progress says for whom and since when, and is what it was when the agent is back."""
    monkeypatch.setattr(remote_wait, "LOOK_S", 0.05)
    monkeypatch.setattr(remote_wait, "LIVE_S", 0.5)
    search_id = toy_search(workspace)
    before = row_of(workspace, search_id).progress
    found = in_thread(lambda: ask(workspace), Watch(lambda: None, search_teller(workspace.database, search_id)))
    with workspace.database.write() as session:
        session.scalars(select(AgentRow)).one().last_seen_at = clock(session) - 130.0
    wait_for(lambda: "last seen 2 min ago" in str(row_of(workspace, search_id).progress))
    assert row_of(workspace, search_id).progress["phase"].startswith("waiting for an agent of my-board")
    with answering(workspace, board, named):
        assert isinstance(found(), tuple)
    assert row_of(workspace, search_id).progress == before


def test_it_is_a_channel() -> None:
    """It has what profilers use, by the same names."""
    from hwmodels.profilers.channel import Channel

    wanted = {name for name in vars(Channel) if not name.startswith("_")}
    assert wanted <= set(dir(RemoteChannel))

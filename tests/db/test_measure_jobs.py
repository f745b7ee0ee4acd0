"""Measure jobs are claimed once, held by lease, fenced by token, and given up after five agents."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from db import agents, measure_jobs
from db.agents import AgentRow, Board
from db.base import NotFound
from db.database import Database
from db.ids import new_id
from db.measure_jobs import KEPT_S, MOST_ATTEMPTS, Grant, MeasureJobRow
from db.queue import StaleLease

BOARD = Board("a board, 4 cores, 00000000", {"onnxruntime": "1.2", "litert": "3.4"})


def agent_of(database: Database, device: str = "my-board", board: Board = BOARD) -> AgentRow:
    with database.write() as session:
        return agents.register(session, device, board, 1, "0.1")


def job_of(database: Database, digest: str = "d", **changes: Any) -> str:
    """A queued job that any agent of my-board can do."""
    about = {"device": "my-board", "machine": BOARD.machine, "runtime": "onnxruntime", "version": "1.2"}
    asked = {"digest": digest, "header": {}, "timeout_s": 60.0, "request": "", "created_at": 0.0}
    row = MeasureJobRow(id=new_id("job"), **(about | asked | changes))
    with database.write() as session:
        session.add(row)
    return row.id


def claim(database: Database, agent: AgentRow, lease_s: float = 60.0) -> Grant | None:
    with database.write() as session:
        row = measure_jobs.claim(session, agent, lease_s)
        return None if row is None else Grant(row.id, agent.id, row.token)


def state(database: Database, job_id: str) -> str:
    with database.read() as session:
        (row,) = measure_jobs.of_ids(session, [job_id])
        return f"{row.state} {row.attempt} {row.error}".strip()


def test_a_job_is_claimed_once_and_the_oldest_first(database: Database) -> None:
    """Two agents get two jobs, and a third claim nothing."""
    first, second = job_of(database), job_of(database, "e")
    one, two = agent_of(database), agent_of(database)
    claimed = [claim(database, agent) for agent in (one, two, one)]
    assert [grant and grant.job_id for grant in claimed] == [first, second, None]


@pytest.mark.parametrize(
    "other",
    [
        {"device": "your-board"},
        {"machine": "another board"},
        {"version": "1.3"},
        {"runtime": "openvino"},
        {"state": "withdrawn"},
    ],
)
def test_an_agent_gets_only_what_it_can_do(database: Database, other: dict[str, str]) -> None:
    """Device, machine, runtime and version must all be its own."""
    job_of(database, **other)
    agent = agent_of(database)
    assert claim(database, agent) is None
    with database.read() as session:
        assert not measure_jobs.claimable(session, agent)


def test_after_the_lease_another_agent_has_it_and_the_first_ones_token_is_stale(database: Database) -> None:
    """The late one can neither renew, answer nor give back; the new one can."""
    job_id, one, two = job_of(database), agent_of(database), agent_of(database)
    late = claim(database, one, lease_s=-1.0)
    now = claim(database, two)
    assert late is not None
    assert now is not None
    assert (late.job_id, now.token) == (job_id, late.token + 1)
    for grant in (late, Grant(job_id, one.id, now.token), Grant(job_id, two.id, late.token)):
        with database.write() as session, pytest.raises(StaleLease, match="taken over"):
            measure_jobs.held(session, grant)
    with database.write() as session:
        measure_jobs.finish(session, measure_jobs.held(session, now), reply="sha")
    with database.write() as session, pytest.raises(StaleLease, match="is done"):
        measure_jobs.held(session, now)


def test_a_lease_that_ran_out_still_holds_while_nobody_else_has_the_job(database: Database) -> None:
    """A board that was away for a while may still answer: nothing measured is lost."""
    job_of(database)
    grant = claim(database, agent_of(database), lease_s=-1.0)
    assert grant is not None
    with database.write() as session:
        measure_jobs.renew(session, grant, 60.0)
        assert measure_jobs.held(session, grant).state == "running"


def test_five_dead_agents_end_a_job(database: Database) -> None:
    """It has failed with that reason; the sixth claim gets nothing."""
    job_id, agent = job_of(database), agent_of(database)
    claimed = [claim(database, agent, lease_s=-1.0) for _ in range(MOST_ATTEMPTS + 1)]
    assert [grant is not None for grant in claimed] == [True] * MOST_ATTEMPTS + [False]
    assert state(database, job_id) == "failed 5 given up: 5 agents fell silent while they worked on it"


def test_giving_back_does_not_count_and_bad_replies_do(database: Database) -> None:
    """A release leaves the attempts as they were; the fifth bad reply ends the job, with what was wrong with it."""
    job_id, agent = job_of(database), agent_of(database)
    for blame in ("", "", "a", "b", "c", "d", "latency_s is nan"):
        assert state(database, job_id).startswith("queued")
        grant = claim(database, agent)
        assert grant is not None
        with database.write() as session:
            measure_jobs.put_back(session, measure_jobs.held(session, grant), blame)
    assert state(database, job_id) == "failed 5 given up after 5 attempts; the last: latency_s is nan"


def test_a_job_is_not_held_for_ever(database: Database) -> None:
    """An agent that renews and renews without answering loses it in the end."""
    job_id = job_of(database)
    grant = claim(database, agent_of(database))
    assert grant is not None
    with database.write() as session:
        session.execute(update(MeasureJobRow).values(claimed_at=MeasureJobRow.claimed_at - 3600.0))
    with database.write() as session, pytest.raises(StaleLease, match="within 60 s"):
        measure_jobs.renew(session, grant, 60.0)
    assert state(database, job_id) == "running 1"


def test_equal_requests_share_a_job_until_its_reply_was_read(database: Database) -> None:
    """Whoever asks while it is open, or answered and unread, joins it; afterwards it is measured anew."""
    job_id, agent = job_of(database), agent_of(database)
    assert joined(database) == job_id
    grant = claim(database, agent)
    assert grant is not None
    with database.write() as session:
        measure_jobs.finish(session, measure_jobs.held(session, grant), reply="sha")
    assert joined(database) == job_id
    with database.write() as session:
        assert measure_jobs.leave(session, job_id, taken=True) is None
    assert joined(database) is None


def joined(database: Database) -> str | None:
    with database.write() as session:
        row = measure_jobs.join(session, "my-board", BOARD.machine, "d")
        return row.id if row else None


def test_a_job_that_nobody_waits_for_is_withdrawn(database: Database) -> None:
    """Not while a second one still waits; the agent that has it hears so."""
    job_id = job_of(database)
    joined(database)
    grant = claim(database, agent_of(database))
    with database.write() as session:
        assert measure_jobs.leave(session, job_id, taken=False) is None
    assert state(database, job_id).startswith("running")
    with database.write() as session:
        assert measure_jobs.leave(session, job_id, taken=False) is not None
    assert grant is not None
    with database.write() as session, pytest.raises(StaleLease, match="withdrawn"):
        measure_jobs.renew(session, grant, 60.0)


def test_old_jobs_are_forgotten(database: Database) -> None:
    """Those that were over for a day, and no others."""
    old, young = job_of(database), job_of(database, "e")
    with database.write() as session:
        for job_id in (old, young):
            measure_jobs.leave(session, job_id, taken=False)
        aged = update(MeasureJobRow).where(MeasureJobRow.id == old)
        session.execute(aged.values(finished_at=MeasureJobRow.finished_at - KEPT_S - 1.0))
    with database.write() as session:
        assert [row.id for row in measure_jobs.sweep(session)] == [old]
    with database.read() as session:
        assert [row.id for row in measure_jobs.of_ids(session, [old, young])] == [young]


def test_unknown_ones_are_named(database: Database) -> None:
    """A job and an agent that never were."""
    with database.write() as session, pytest.raises(NotFound, match="no measure job job_0"):
        measure_jobs.held(session, Grant("job_0", "agt_0", 1))
    with database.read() as session, pytest.raises(NotFound, match="no agent agt_0"):
        agents.get(session, "agt_0")


def test_the_newest_agent_stands_for_the_device(database: Database) -> None:
    """And the latest time that any fitting one was heard of tells whether there is one."""
    one, two = agent_of(database), agent_of(database, board=Board("another", {"onnxruntime": "1.2"}))
    with database.write() as session:
        session.execute(update(AgentRow).values(last_seen_at=5.0))
        agents.seen(session, one.id)
    with database.read() as session:
        newest = agents.newest(session, "my-board")
        assert newest is not None
        assert (newest.id, newest.machine) == (two.id, "another")
        seen = [agents.last_seen(session, "my-board", m, "onnxruntime", "1.2") for m in (BOARD.machine, "another", "x")]
        assert seen[1:] == [5.0, None]
        assert seen[0] is not None
        assert seen[0] > 5.0
        assert agents.last_seen(session, "my-board", BOARD.machine, "onnxruntime", "1.3") is None

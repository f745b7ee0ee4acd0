"""The queue: each task is done once, whatever happens to who does it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from db.base import clock
from db.database import Database, open_database
from db.queue import (
    MAX_ATTEMPTS,
    Lease,
    StaleLease,
    TaskKind,
    claim,
    complete,
    drop_queued,
    enqueue,
    expire,
    open_tasks,
    release,
    renew,
    waiting,
)
from tests.db.rows import add_search

CLAIM_ALL = """
import sys
from db.database import open_database
from db.queue import claim, complete
database = open_database(sys.argv[1])
while True:
    with database.write() as session:
        lease = claim(session, sys.argv[2], 30.0)
    if lease is None:
        break
    print(lease.number)
    with database.write() as session:
        complete(session, lease)
"""


def take(database: Database, worker: str = "w", lease_s: float = 30.0) -> Lease | None:
    """Claims in a transaction of its own."""
    with database.write() as session:
        return claim(session, worker, lease_s)


def must_take(database: Database, worker: str = "w", lease_s: float = 30.0) -> Lease:
    """Claims where there surely is something."""
    lease = take(database, worker, lease_s)
    assert lease is not None
    return lease


def finish(database: Database, lease: Lease) -> None:
    with database.write() as session:
        complete(session, lease)


def test_eight_threads_do_every_task_once(database_url: str, database: Database) -> None:
    """200 tasks, 8 workers in one process with an engine each: nothing twice, nothing left."""
    add_search(database, tasks=200)

    def work(name: str) -> list[int]:
        mine, done = open_database(database_url), []
        while (lease := take(mine, name)) is not None:
            finish(mine, lease)
            done.append(lease.number)
        mine.close()
        return done

    with ThreadPoolExecutor(8) as pool:
        done = [number for part in pool.map(work, [f"w{i}" for i in range(8)]) for number in part]
    assert sorted(done) == list(range(200))


def test_eight_processes_do_every_task_once(database_url: str, database: Database) -> None:
    """The same with processes, as in production."""
    add_search(database, tasks=100)
    command = [sys.executable, "-c", CLAIM_ALL, database_url]
    workers = [subprocess.Popen([*command, f"w{i}"], stdout=subprocess.PIPE, text=True) for i in range(8)]
    outputs = [worker.communicate(timeout=120)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 8
    assert sorted(int(line) for output in outputs for line in output.split()) == list(range(100))


def test_a_task_is_held_by_one(database: Database) -> None:
    """While a lease runs, nobody else gets the task."""
    add_search(database, tasks=1)
    must_take(database, "first")
    assert take(database, "second") is None


def test_a_late_worker_is_refused(database: Database) -> None:
    """A lease that ran out is claimed anew; the first worker's result then doesn't count, the second's does."""
    add_search(database, tasks=1)
    late = must_take(database, "late", lease_s=-1.0)
    new = must_take(database, "new")
    assert new.task_id == late.task_id
    with pytest.raises(StaleLease):
        finish(database, late)
    finish(database, new)


def test_a_result_that_is_refused_leaves_nothing(database: Database) -> None:
    """What the late worker wrote in the same transaction is taken back with it."""
    search_id = add_search(database, tasks=1)
    late = must_take(database, lease_s=-1.0)
    must_take(database)

    def write_late() -> None:
        with database.write() as session:
            enqueue(session, search_id, TaskKind.ADVANCE, [7])
            complete(session, late)

    with pytest.raises(StaleLease):
        write_late()
    with database.read() as session:
        assert open_tasks(session, search_id, TaskKind.ADVANCE) == 0


def test_a_renewed_lease_holds(database: Database) -> None:
    """A heartbeat moves the end of the lease; after the task is done it has nothing to hold."""
    add_search(database, tasks=1)
    lease = must_take(database, lease_s=-1.0)
    with database.write() as session:
        assert renew(session, lease, 30.0)
    assert take(database, "other") is None
    finish(database, lease)
    with database.write() as session:
        assert not renew(session, lease, 30.0)


def test_a_task_that_kills_its_workers_is_given_up(database: Database) -> None:
    """After three attempts the next claim says that it is exhausted."""
    add_search(database, tasks=1)
    leases = [must_take(database, lease_s=-1.0) for _ in range(MAX_ATTEMPTS + 1)]
    assert [lease.exhausted for lease in leases] == [False, False, False, True]


def test_a_released_task_is_as_if_never_claimed(database: Database) -> None:
    """A worker that is told to stop gives its task back at once, and that is no attempt."""
    add_search(database, tasks=1)
    lease = must_take(database)
    with database.write() as session:
        release(session, lease)
    again = must_take(database)
    assert (again.attempt, again.token) == (1, lease.token + 1)


def test_tasks_of_a_dead_worker_are_free_at_once(database: Database) -> None:
    """Whoever sees a worker die ends its leases, and no others."""
    add_search(database, tasks=2)
    lost = must_take(database, "dead")
    must_take(database, "alive")
    with database.write() as session:
        assert expire(session, "dead") == 1
    assert must_take(database, "next").task_id == lost.task_id
    assert take(database, "next") is None


def test_searches_take_turns(database: Database) -> None:
    """The search with the fewest running tasks comes first: the second isn't kept waiting by the first."""
    first, second = add_search(database, tasks=4), add_search(database, tasks=4)
    order = [must_take(database).search_id for _ in range(4)]
    assert Counter(order) == {first: 2, second: 2}
    assert order[:2] == [first, second]


def test_a_worker_can_be_kept_to_one_search(database: Database) -> None:
    """The embedded worker of a command claims nobody else's tasks."""
    add_search(database, tasks=1)
    mine = add_search(database, tasks=1)
    with database.write() as session:
        lease = claim(session, "w", 30.0, mine)
        assert lease is not None
        assert lease.search_id == mine
        assert claim(session, "w", 30.0, mine) is None
        assert not waiting(session, mine)
        assert waiting(session)


def test_a_task_is_added_once(database: Database) -> None:
    """The last two trials of a batch may both ask for the next step: there is one."""
    search_id = add_search(database)
    for _ in range(2):
        with database.write() as session:
            enqueue(session, search_id, TaskKind.ADVANCE, [3])
    finish(database, must_take(database))
    assert take(database) is None


def test_dropping_spares_what_runs(database: Database) -> None:
    """Cancelling takes back what nobody began and tells how much is still running."""
    search_id = add_search(database, tasks=3)
    must_take(database)
    with database.write() as session:
        assert drop_queued(session, search_id) == 1
    assert take(database) is None


def test_the_clock_is_the_databases_own(database: Database) -> None:
    """Two readings are in order and about now."""
    with database.read() as session:
        first, second = clock(session), clock(session)
    assert 1.7e9 < first <= second

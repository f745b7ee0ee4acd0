"""Tables of measurements: what is written first stays, generations stand side by side."""

from __future__ import annotations

import pytest

from db import measurements, own_devices
from db.base import NotFound
from db.database import Database
from db.measurements import TableId

FIRST = TableId("here", "onnxruntime", "1.30.0", "AMD EPYC, 2 cores, 3f0c91d2")


def test_the_first_row_of_a_key_is_kept(database: Database) -> None:
    """Whoever comes second is given what the first has measured."""
    with database.write() as session:
        first = measurements.add(session, FIRST, {"key": "a", "latency_s": 1.0}, 1.0)
        second = measurements.add(session, FIRST, {"key": "a", "latency_s": 2.0}, 2.0)
        measurements.add_all(session, FIRST, [{"key": "a"}, {"key": "b"}], 3.0)
    assert first == second
    with database.read() as session:
        assert [row["key"] for row in measurements.of_table(session, FIRST.key)] == ["a", "b"]
        assert measurements.last_at(session, FIRST.key) == 3.0


def test_generations_stand_side_by_side(database: Database) -> None:
    """A second generation has a key of its own and is the newest; the first keeps its rows."""
    assert FIRST.next().key == f"{FIRST.key} | #2"
    with database.write() as session:
        measurements.add(session, FIRST, {"key": "a"}, 1.0)
        measurements.begin(session, FIRST.next(), 2.0)
    with database.read() as session:
        newest = measurements.newest(session, "here", machine=FIRST.machine)
        assert newest is not None
        assert newest.table == FIRST.next()
        counted = [(row.generation, rows) for row, rows in measurements.counts(session)]
    assert counted == [(2, 0), (1, 1)]


def test_a_calibration_is_written_once(database: Database) -> None:
    """The second is told the first; a table that isn't there can't have one."""
    with database.write() as session:
        measurements.begin(session, FIRST, 1.0)
        assert measurements.calibrate(session, FIRST.key, {"margin": 0.01}) == {"margin": 0.01}
        assert measurements.calibrate(session, FIRST.key, {"margin": 0.02}) == {"margin": 0.01}
    with database.write() as session, pytest.raises(NotFound):
        measurements.calibrate(session, FIRST.next().key, {})


def test_tables_go_with_their_device(database: Database) -> None:
    """Those of all its settings are removed, and none of a device with a longer name."""
    with database.write() as session:
        for device in ("my_b", "my_b@batch=8", "my_board", "myxb@batch=8"):
            measurements.add(session, TableId(device, "r", "1", "m"), {"key": "a"}, 1.0)
        assert measurements.remove(session, "my_b") == 2
        left = [row.device for row, _ in measurements.counts(session)]
    assert left == ["my_board", "myxb@batch=8"]


def test_own_devices(database: Database) -> None:
    """The hash of the agents' key is no part of the datasheet; what was removed is gone."""
    with database.write() as session:
        own_devices.create(session, {"id": "my-board", "title": "Mine"}, key_hash="ab12")
    with database.write() as session:
        row = own_devices.get(session, "my-board")
        assert (row.agent_key_sha256, row.datasheet) == ("ab12", {"id": "my-board", "title": "Mine"})
        own_devices.remove(session, "my-board")
        assert own_devices.all_devices(session) == []
        with pytest.raises(NotFound, match="my-board"):
            own_devices.remove(session, "my-board")

"""What was timed: tables of one row per operator or network; the first row written wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import CursorResult, ForeignKey, UniqueConstraint, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, BigKey, Json, NotFound
from db.upsert import insert_new

BETWEEN = " | "
"""Between the parts of a table's key."""


@dataclass(frozen=True)
class TableId:
    """What the rows of a table hold for: a device with its settings, a version of its runtime, a machine.

    `generation` counts from 1: measuring all of it again begins a new one, and the old one stays as it is.
    """

    device: str
    runtime: str
    version: str
    machine: str
    generation: int = 1

    @property
    def key(self) -> str:
        """`local-onnxruntime | onnxruntime 1.30.0 | AMD EPYC, 2 cores, 3f0c91d2 | #2`; the first has no number."""
        parts = [self.device, f"{self.runtime} {self.version}", self.machine]
        return BETWEEN.join([*parts, f"#{self.generation}"] if self.generation > 1 else parts)

    def next(self) -> TableId:
        """The generation after this one."""
        return replace(self, generation=self.generation + 1)


class TableRow(Base):
    """A table; `key` is that of its TableId. `calibration` is written once."""

    __tablename__ = "devices"

    key: Mapped[str] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(index=True)
    runtime: Mapped[str] = mapped_column(server_default="")
    version: Mapped[str] = mapped_column(server_default="")
    machine: Mapped[str] = mapped_column(server_default="")
    generation: Mapped[int] = mapped_column(server_default="1")
    calibration: Mapped[Json | None]
    created_at: Mapped[float]

    @property
    def table(self) -> TableId:
        """What it holds for."""
        return TableId(self.device, self.runtime, self.version, self.machine, self.generation)


class MeasurementRow(Base):
    """One operator signature or network on one machine, as the profiler returned it."""

    __tablename__ = "measurements"
    __table_args__ = (UniqueConstraint("device_key", "key"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    device_key: Mapped[str] = mapped_column(ForeignKey("devices.key"))
    key: Mapped[str]
    document: Mapped[Json]
    created_at: Mapped[float]


def begin(session: Session, table: TableId, at: float) -> None:
    """Makes a table without rows, unless it is there already."""
    about = {name: getattr(table, name) for name in ("key", "device", "runtime", "version", "machine", "generation")}
    insert_new(session, TableRow, [about | {"calibration": None, "created_at": at}])


def add(session: Session, table: TableId, document: Json, at: float) -> Json:
    """Keeps `document` under its own `key`, unless there is one already; returns the one that is kept."""
    begin(session, table, at)
    add_all(session, table, [document], at)
    query = select(MeasurementRow.document)
    return session.scalars(query.filter_by(device_key=table.key, key=document["key"])).one()


def add_all(session: Session, table: TableId, documents: Sequence[Json], at: float) -> None:
    """Keeps those whose keys the table doesn't have yet."""
    rows = [{"device_key": table.key, "key": d["key"], "document": d, "created_at": at} for d in documents]
    insert_new(session, MeasurementRow, rows)


def of_table(session: Session, key: str) -> list[Json]:
    """All rows of a table in order of measurement; none where there is no such table."""
    query = select(MeasurementRow.document).where(MeasurementRow.device_key == key)
    return list(session.scalars(query.order_by(MeasurementRow.id)))


def get(session: Session, key: str) -> TableRow:
    """Raises NotFound."""
    row = session.get(TableRow, key, populate_existing=True)
    if row is None:
        raise NotFound(f"there is no table {key!r}")
    return row


def newest(session: Session, device: str, **same: str) -> TableRow | None:
    """The table of a device that was begun last, among those of the `same` runtime, version or machine."""
    query = select(TableRow).filter_by(device=device, **same)
    return session.scalar(query.order_by(TableRow.created_at.desc(), TableRow.generation.desc()).limit(1))


def best(session: Session, device: str, **same: str) -> TableRow | None:
    """The newest that is calibrated: a generation that is still being measured isn't used yet. Else the newest."""
    tables = [row for row in of_device(session, device) if all(getattr(row, n) == value for n, value in same.items())]
    return next((row for row in tables if row.calibration is not None), tables[0] if tables else None)


def of_device(session: Session, device: str) -> Sequence[TableRow]:
    """All tables of a device with its settings, the newest first."""
    query = select(TableRow).where(TableRow.device == device)
    return session.scalars(query.order_by(TableRow.created_at.desc(), TableRow.generation.desc())).all()


def last_at(session: Session, key: str) -> float | None:
    """When the latest row of a table was measured."""
    return session.scalar(select(func.max(MeasurementRow.created_at)).where(MeasurementRow.device_key == key))


def calibrate(session: Session, key: str, calibration: Json) -> Json:
    """Keeps the calibration of a table, unless it has one; returns the one that is kept. Raises NotFound."""
    query = update(TableRow).where(TableRow.key == key, TableRow.calibration.is_(None))
    session.execute(query.values(calibration=calibration).execution_options(synchronize_session=False))
    return get(session, key).calibration or calibration


def remove(session: Session, device: str) -> int:
    """Removes the tables of a device whatever its settings, with their rows; returns how many there were."""
    mine = (TableRow.device == device) | TableRow.device.startswith(f"{device}@", autoescape=True)
    keys = select(TableRow.key).where(mine).scalar_subquery()
    session.execute(delete(MeasurementRow).where(MeasurementRow.device_key.in_(keys)))
    found = session.execute(delete(TableRow).where(mine))
    assert isinstance(found, CursorResult)
    return found.rowcount


def counts(session: Session) -> Sequence[tuple[TableRow, int]]:
    """Every table with the number of its rows, the newest of each device first."""
    query = select(TableRow, func.count(MeasurementRow.id)).outerjoin(MeasurementRow).group_by(TableRow.key)
    rows = session.execute(query.order_by(TableRow.device, TableRow.created_at.desc(), TableRow.generation.desc()))
    return [(table, count) for table, count in rows]

"""What was timed: one row per operator and machine; the first row written wins."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ForeignKey, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, BigKey, Json
from db.upsert import insert_new


class DeviceRow(Base):
    """A machine and runtime version on which a device of the catalogue was measured; `key` names all three."""

    __tablename__ = "devices"

    key: Mapped[str] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[float]


class MeasurementRow(Base):
    """One operator signature on one machine, as the profiler returned it."""

    __tablename__ = "measurements"
    __table_args__ = (UniqueConstraint("device_key", "key"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    device_key: Mapped[str] = mapped_column(ForeignKey("devices.key"))
    key: Mapped[str]
    document: Mapped[Json]
    created_at: Mapped[float]


def add(session: Session, device: str, device_key: str, document: Json, at: float) -> Json:
    """Keeps `document` under its own `key`, unless there is one already; returns the one that is kept."""
    insert_new(session, DeviceRow, [{"key": device_key, "device": device, "created_at": at}])
    row = {"device_key": device_key, "key": document["key"], "document": document, "created_at": at}
    insert_new(session, MeasurementRow, [row])
    query = select(MeasurementRow.document)
    return session.scalars(query.filter_by(device_key=device_key, key=document["key"])).one()


def of_device(session: Session, device_key: str) -> list[Json]:
    """All that is known of one machine, in order of measurement."""
    query = select(MeasurementRow.document).where(MeasurementRow.device_key == device_key)
    return list(session.scalars(query.order_by(MeasurementRow.id)))


def counts(session: Session) -> Sequence[tuple[str, str, int]]:
    """(device, key, number of rows) for every machine that was measured."""
    query = select(DeviceRow.device, DeviceRow.key, func.count(MeasurementRow.id)).outerjoin(MeasurementRow)
    rows = session.execute(query.group_by(DeviceRow.device, DeviceRow.key).order_by(DeviceRow.key))
    return [(device, key, count) for device, key, count in rows]

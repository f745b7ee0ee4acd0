"""Devices that users have added beside those of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, Json, NotFound, clock

AGENT_KEY = "agent_key_sha256"
"""Entry of the document of a device that agents serve: the SHA-256 of the key that they show."""


class OwnDeviceRow(Base):
    """One device; `document` is its datasheet, and for one that agents serve the hash of their key."""

    __tablename__ = "own_devices"

    id: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[Json]
    created_at: Mapped[float]

    @property
    def datasheet(self) -> Json:
        """The document without what belongs to the service."""
        return {name: value for name, value in self.document.items() if name != AGENT_KEY}

    @property
    def agent_key_sha256(self) -> str:
        """Empty where no agents serve it."""
        return str(self.document.get(AGENT_KEY, ""))


def create(session: Session, device_document: Json, key_hash: str = "") -> OwnDeviceRow:
    """Stores a device under the `id` in its document, which nobody else has; `key_hash` where agents serve it."""
    document = dict(device_document) | ({AGENT_KEY: key_hash} if key_hash else {})
    row = OwnDeviceRow(id=str(device_document["id"]), document=document, created_at=clock(session))
    session.add(row)
    session.flush()
    return row


def find(session: Session, device_id: str) -> OwnDeviceRow | None:
    """None where there is none; settings are no part of the id."""
    return session.get(OwnDeviceRow, device_id)


def get(session: Session, device_id: str) -> OwnDeviceRow:
    """Raises NotFound."""
    row = find(session, device_id)
    if row is None:
        raise NotFound(f"there is no own device {device_id!r}")
    return row


def all_devices(session: Session) -> Sequence[OwnDeviceRow]:
    """Every one, by id."""
    return session.scalars(select(OwnDeviceRow).order_by(OwnDeviceRow.id)).all()


def remove(session: Session, device_id: str) -> None:
    """Raises NotFound."""
    session.delete(get(session, device_id))
    session.flush()

"""Devices as searches find them: the catalogue's and own ones, each opened with its table and the way to measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sqlalchemy.orm import Session

from db import measurements, own_devices
from db.base import Json, clock
from db.measurements import TableId, TableRow
from hwmodels.base import HardwareModelError
from hwmodels.calibration import Calibration
from hwmodels.catalogue import DEVICES, UnknownDevice
from hwmodels.catalogue import device as device_of
from hwmodels.datasheet import IMPORTED, device_from_json
from hwmodels.device import Device
from hwmodels.profilers.channel import Channel
from hwmodels.profilers.process import Child
from hwmodels.settings import BadSetting
from search.devices import Hardware, open_hardware
from service.errors import NotHere
from service.workspace import Workspace


class TableMoved(HardwareModelError):
    """A table can't be added to from here: it was measured on another machine, or with another version."""


@dataclass(frozen=True)
class Place:
    """Where latencies are looked up, for as long as a search or a job takes. Analytical devices have no table.

    Attributes:
        table: its key. calibrated: whether its calibration counts; one that is made meanwhile doesn't.
        ratio: by how much the machine has become slower as a whole since. doubt: the least margin of its latencies.
        notes: what was found about both.
    """

    table: str = ""
    calibrated: bool = False
    ratio: float = 1.0
    doubt: float = 0.0
    notes: tuple[str, ...] = field(default=(), compare=False)

    def to_json(self) -> Json:
        """As a search's `prepared` keeps it."""
        return asdict(self) | {"notes": list(self.notes)}

    @classmethod
    def of(cls, prepared: Mapping[str, Any]) -> Place | None:
        """The place that a search has noted; None before it has."""
        if "table" not in prepared:
            return None
        notes = tuple(map(str, prepared.get("notes", ())))
        ratio, doubt = float(prepared["ratio"]), float(prepared["doubt"])
        return cls(str(prepared["table"]), bool(prepared["calibrated"]), ratio, doubt, notes)


def own_by_id(session: Session) -> dict[str, Device]:
    """Every own device by its id."""
    return {row.id: device_from_json(row.datasheet) for row in own_devices.all_devices(session)}


def all_devices(session: Session) -> dict[str, Device]:
    """The catalogue's devices, then own ones."""
    return {**DEVICES, **own_by_id(session)}


def find_device(session: Session, id: str) -> Device:
    """The device of this id with the settings in it. Raises UnknownDevice, naming the nearest ids, and BadSetting."""
    plain = id.partition("@")[0]
    return device_of(id, {} if plain in DEVICES else own_by_id(session))


def device_here(session: Session, id: str) -> Device:
    """The same for the id in an address. Raises NotHere."""
    try:
        return find_device(session, id)
    except (UnknownDevice, BadSetting) as error:
        raise NotHere(str(error)) from error


def channel_to(workspace: Workspace, device: Device) -> Channel | None:
    """The way to where the device is measured; None for one that nothing measures."""
    if not device.profiler or device.kind == IMPORTED:
        return None
    with workspace.database.read() as session:
        own = own_devices.find(session, device.id.partition("@")[0])
    if own is not None and own.agent_key_sha256:
        from service.remote import remote_channel  # which needs this module

        return remote_channel(workspace, device)
    return Child()


def table_at(channel: Channel, device: Device) -> TableId:
    """The first generation of the table for what is at the channel's other end. Raises MissingRuntime."""
    return TableId(device.id, device.profiler, channel.version(device.profiler), channel.machine)


def newest_table(session: Session, device: Device, channel: Channel) -> TableRow | None:
    """The newest generation for the runtime and machine at the channel's other end; None where nothing is measured."""
    return measurements.newest(session, device.id, **_same(table_at(channel, device)))


def _same(here: TableId) -> dict[str, str]:
    return {"runtime": here.runtime, "version": here.version, "machine": here.machine}


def choose(workspace: Workspace, device: Device) -> Place:
    """The newest table that is calibrated, or where none is, the newest.

    Raises MissingRuntime, and HardwareModelError where no agent has come yet, or no table was imported.
    """
    channel = channel_to(workspace, device)
    if channel is None:
        return _imported(workspace, device) if device.kind == IMPORTED else Place()
    try:
        with workspace.database.read() as session:
            row = measurements.best(session, device.id, **_same(table_at(channel, device)))
        return Place(row.key, row.calibration is not None) if row else Place(table_at(channel, device).key)
    finally:
        channel.close()


def _imported(workspace: Workspace, device: Device) -> Place:
    with workspace.database.read() as session:
        row = measurements.newest(session, device.id)
    if row is None:
        raise HardwareModelError(f"{device.id} has no table yet: import one with fitwright devices import")
    return Place(row.key, row.calibration is not None)


def open_for(
    workspace: Workspace, device: Device, place: Place, on_kept: Callable[[Session], None] = lambda _: None
) -> Hardware:
    """A device with the rows and the calibration of its table; what is measured from now on is kept there.

    `on_kept` is called in the transaction that keeps a row. Raises TableMoved, MissingRuntime and BadTable.
    """
    channel = channel_to(workspace, device)
    if channel is None and device.kind != IMPORTED:
        return open_hardware(device)
    table = _table(table_at(channel, device), place) if channel is not None else None
    key = table.key if table is not None else place.table
    with workspace.database.read() as session:
        rows = measurements.of_table(session, key)
        kept = measurements.get(session, key).calibration if place.calibrated else None
    if kept:
        kept = Calibration.from_json(kept).scaled(place.ratio).doubted(place.doubt).to_json()
    if table is None:
        return open_hardware(device, rows, calibration=kept)
    return open_hardware(device, rows, _keeper(workspace, table, on_kept), channel, kept)


def _table(here: TableId, place: Place) -> TableId:
    """The table of a place. Raises TableMoved where what is here is another runtime or machine."""
    if place.table in ("", here.key):
        return here
    _, _, number = place.table.removeprefix(here.key).partition(" | #")
    if not place.table.startswith(here.key) or not number.isdecimal():
        raise TableMoved(
            f"the table that this began with is {place.table!r}, and here is {here.key!r}: figures of the two don't "
            "add up. Go on where it began, or start again here"
        )
    return replace(here, generation=int(number))


def _keeper(workspace: Workspace, table: TableId, on_kept: Callable[[Session], None]) -> Callable[[Json], Json]:
    def keep(document: Json) -> Json:
        with workspace.database.write() as session:
            on_kept(session)
            return measurements.add(session, table, document, clock(session))

    return keep

"""Every table in one place: importing this module fills `Base.metadata`."""

from __future__ import annotations

from db.artefacts import ArtefactRow
from db.base import Base
from db.batches import BatchRow
from db.datasets import DatasetRow
from db.events import EventRow
from db.idempotency import ReplyRow
from db.measurements import DeviceRow, MeasurementRow
from db.models import ModelRow
from db.queue import TaskRow
from db.schedules import ScheduleRow, ScheduleRunRow
from db.searches import SearchRow
from db.sensitivities import SensitivityRow
from db.trials import TrialRow

TABLES: tuple[type[Base], ...] = (
    ModelRow,
    DatasetRow,
    DeviceRow,
    MeasurementRow,
    SensitivityRow,
    BatchRow,
    SearchRow,
    TrialRow,
    TaskRow,
    EventRow,
    ArtefactRow,
    ScheduleRow,
    ScheduleRunRow,
    ReplyRow,
)

"""Every table in one place: importing this module fills `Base.metadata`."""

from __future__ import annotations

from db.agents import AgentRow
from db.artefacts import ArtefactRow
from db.base import Base
from db.batches import BatchRow
from db.datasets import DatasetRow
from db.events import EventRow
from db.idempotency import ReplyRow
from db.measure_jobs import MeasureJobRow
from db.measurements import MeasurementRow, TableRow
from db.models import ModelRow
from db.own_devices import OwnDeviceRow
from db.profile_jobs import ProfileJobRow
from db.queue import TaskRow
from db.schedules import ScheduleRow, ScheduleRunRow
from db.searches import SearchRow
from db.sensitivities import SensitivityRow
from db.trials import TrialRow

TABLES: tuple[type[Base], ...] = (
    ModelRow,
    DatasetRow,
    TableRow,
    MeasurementRow,
    OwnDeviceRow,
    ProfileJobRow,
    AgentRow,
    MeasureJobRow,
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

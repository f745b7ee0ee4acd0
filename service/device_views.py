"""Documents of devices: what each is, where its figures come from, and what its tables hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from sqlalchemy.orm import Session

from db import measurements, own_devices, profile_jobs
from db.base import Json
from db.measurements import TableRow
from db.profile_jobs import ProfileJobRow
from hwmodels.catalogue import DEVICES
from hwmodels.device import Device
from hwmodels.profilers.runtime_node import SWEPT
from hwmodels.table import GAUGE, OVERHEAD
from service.hardware import own_by_id
from service.views import moment

NETWORK = "network "
"""What keys of whole networks begin with."""

GAUGES = (OVERHEAD, GAUGE)


def device_documents(session: Session) -> list[Json]:
    """Every device with its datasheet and provenance, and its tables in short: the catalogue's, then own ones."""
    tables: dict[str, list[Json]] = {}
    for row, rows in measurements.counts(session):
        tables.setdefault(row.device.partition("@")[0], []).append(table_entry(row, rows))
    served = {row.id for row in own_devices.all_devices(session) if row.agent_key_sha256}
    own = own_by_id(session)
    return [
        _sheet(device, own=id in own, served=id in served) | {"measured": tables.get(id, [])}
        for id, device in {**DEVICES, **own}.items()
    ]


def device_document(session: Session, device: Device) -> Json:
    """One device, with all that is known of the tables of these settings, and its latest profile jobs."""
    plain = device.id.partition("@")[0]
    row = own_devices.find(session, plain)
    sheet = _sheet(device, own=plain not in DEVICES, served=bool(row and row.agent_key_sha256))
    return sheet | {
        "measured": [table_document(session, table) for table in measurements.of_device(session, device.id)],
        "settings": sorted({t.device for t, _ in measurements.counts(session) if t.device.partition("@")[0] == plain}),
        "profile_jobs": [job_document(job) for job in profile_jobs.page(session, 5, device=device.id)],
        "created_at": moment(row.created_at) if row else None,
    }


def table_entry(row: TableRow, rows: int) -> Json:
    """A table in a list."""
    about = {name: getattr(row, name) for name in ("key", "device", "runtime", "version", "machine", "generation")}
    calibrated = row.calibration is not None
    return about | {"rows": rows, "calibrated": calibrated, "created_at": moment(row.created_at)}


def table_document(session: Session, row: TableRow) -> Json:
    """What a table holds, how far it can be trusted, and how old it is."""
    rows = measurements.of_table(session, row.key)
    spread = sorted(float(r.get("disagreement") or 0.0) for r in rows)
    calibration = row.calibration or {}
    return table_entry(row, len(rows)) | {
        "calibration": calibration or None,
        "operators": operators(rows),
        "networks": sum(r["key"].startswith(NETWORK) for r in rows),
        "noise_floor": spread[(9 * (len(spread) - 1)) // 10] if spread else None,
        "overhead_s": next((r["latency_s"] for r in rows if r["key"] == OVERHEAD), None),
        "metered": sum(bool(r.get("energy_j")) for r in rows),
        "last_at": moment(measurements.last_at(session, row.key)),
    }


def operators(rows: Sequence[Json]) -> list[Json]:
    """Types of operators with how many were timed and how long they take, the most frequent first."""
    times: dict[str, list[float]] = {}
    for row in rows:
        if kind := kind_of(row):
            times.setdefault(kind, []).append(float(row["latency_s"]))
    found = [
        {"type": kind, "rows": len(of), "least_s": min(of), "median_s": median(of), "most_s": max(of)}
        for kind, of in times.items()
    ]
    return sorted(found, key=lambda entry: (-int(str(entry["rows"])), str(entry["type"])))


def kind_of(row: Mapping[str, Any]) -> str:
    """The type of operator that a row is of, and whether it was swept out of the nearest caches; empty for whole
    networks and for what belongs to the runtime itself."""
    if row["key"] in GAUGES or row["key"].startswith(NETWORK):
        return ""
    signature = str(row.get("signature") or row["key"])
    return signature.partition("(")[0][:100] + (SWEPT if signature.endswith(SWEPT) else "")


def job_document(row: ProfileJobRow) -> Json:
    """A profile job as GET /v1/profile-jobs/{id} shows it."""
    return {
        "id": row.id,
        "device": row.device,
        "state": row.state,
        "state_reason": row.error,
        "request": row.request,
        "progress": row.progress,
        "table": row.table_key or None,
        "result": row.result,
        "created_at": moment(row.created_at),
        "started_at": moment(row.started_at),
        "finished_at": moment(row.finished_at),
    }


def _sheet(device: Device, own: bool, served: bool) -> dict[str, Any]:
    about = {"provenance": "own" if own else "catalogue", "agents": served, "precisions": list(device.precisions)}
    return asdict(device) | about

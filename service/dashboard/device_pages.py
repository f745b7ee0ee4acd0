"""The pages of devices: the list, and one device with what its tables hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from sqlalchemy.orm import Session

from db import measurements, profile_jobs
from hwmodels.device import Device
from hwmodels.profile import NETWORKS
from search import plots
from service import device_words as words
from service.dashboard.device_plot import operators_figure, unseen_figure
from service.device_views import device_document, device_documents
from service.errors import Conflict, InvalidRequest
from service.hardware import device_here
from service.profiling import create_job
from service.words import Badge, moment, progress

Document = Mapping[str, Any]

KINDS = {"measured": Badge("measured", "good"), "imported": Badge("imported", "plain")}
JOBS = {"succeeded": Badge("✓ done", "good"), "failed": Badge("! failed", "bad"), "cancelled": Badge("cancelled")}
LIVE = ("queued", "running", "cancelling")


def devices_context(session: Session) -> dict[str, Any]:
    """What devices.html needs: the catalogue and own devices."""
    return {"devices": [_listed(device) for device in device_documents(session)]}


def device_context(session: Session, device: Device, now: float, error: str = "") -> dict[str, Any]:
    """What device.html needs; `error` is what was wrong with the profile job that was asked for."""
    document = device_document(session, device)
    tables = document["measured"]
    jobs = [_job(job, now) for job in document["profile_jobs"]]
    rows = measurements.of_table(session, tables[0]["key"]) if tables else []
    known = (tables[0]["calibration"] or {}) if tables else {}
    return {
        "device": _listed(document) | {"sources": document["sources"], "others": _others(document)},
        "facts": words.facts(document),
        "precisions": words.precisions(document),
        "memories": words.memories(document),
        "tables": [_table(device.id, table, now) for table in tables],
        "figure": Markup(plots.embedded(operators_figure(rows))) if tables and tables[0]["operators"] else None,
        "unseen": Markup(plots.embedded(unseen_figure(known))) if known.get("unseen") else None,
        "profiled": document["kind"] == "measured" and document["cost_model"] == "lookup",
        "networks": NETWORKS,
        "jobs": jobs,
        "live": any(job["live"] for job in jobs),
        "error": error,
    }


def ask_for_profile(session: Session, device_id: str, networks: str, refresh: bool) -> str:
    """Starts a profile job from the fields of its form; what was wrong with them, empty where nothing was."""
    device = device_here(session, device_id)
    text = networks.strip()
    if text and not (text.isascii() and text.isdecimal() and 3 <= int(text[:9]) <= 1000):
        return "networks is a whole number from 3 to 1000"
    try:
        create_job(session, {"device": device.id, "networks": int(text) if text else None, "refresh": refresh})
    except (InvalidRequest, Conflict) as error:
        return str(error)
    return ""


def live_job(session: Session, device_id: str) -> str | None:
    """The job of a device that can be cancelled."""
    row = profile_jobs.unfinished(session, device_here(session, device_id).id)
    return row.id if row else None


def _listed(device: Document) -> dict[str, Any]:
    return {
        "id": device["id"],
        "title": device["title"],
        "kind": device["kind"],
        "badge": KINDS.get(device["kind"], Badge(device["kind"], "warn")),
        "precisions": ", ".join(device["precisions"]),
        "provenance": words.provenance(device),
        "own": device["provenance"] == "own",
        "table": words.table_in_short(device),
    }


def _others(document: Document) -> list[str]:
    return [name for name in document["settings"] if name != document["id"]]


def _table(device: str, table: Document, now: float) -> dict[str, Any]:
    link = f"/v1/devices/{device}/table?table={quote(table['key'])}"
    return {
        "title": f"Generation {table['generation']}" if table["generation"] > 1 else "Table",
        "about": f"{table['runtime']} {table['version']} on {table['machine']}",
        "facts": words.table_facts(table, now),
        "operators": words.operator_lines(table),
        "json": link,
        "csv": f"{link}&format=csv",
    }


def _job(job: Document, now: float) -> dict[str, Any]:
    live = job["state"] in LIVE
    return {
        "id": job["id"],
        "badge": JOBS.get(job["state"], Badge(job["state"], "live" if job["state"] != "queued" else "plain")),
        "live": live,
        "cancellable": live and job["state"] != "cancelling",
        "progress": progress(job),
        "reason": job["state_reason"],
        "what": _what(job),
        "when": moment(job["finished_at"] or job["started_at"] or job["created_at"], now),
        "result": _result(job["result"]),
    }


def _what(job: Document) -> str:
    task = (job["result"] or {}).get("task") or ("refresh" if job["request"].get("refresh") else "")
    return {"check": "Checked for drift", "profile": "Measured and calibrated", "refresh": "New generation"}.get(
        task, "Measure or check"
    )


def _result(result: Document | None) -> list[tuple[str, str]]:
    if not result:
        return []
    if "calibration" in result:
        return words.calibration_facts(result["calibration"])
    return words.drift_facts(result.get("drift") or {})

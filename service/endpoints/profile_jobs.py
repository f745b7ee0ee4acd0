"""/v1/profile-jobs: tables that are measured, or checked for drift."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from db import profile_jobs
from db.base import Json
from service.checks import device_faults
from service.dependencies import Here, Key, Paged, checked_id, listed
from service.device_views import job_document
from service.errors import InvalidRequest
from service.idempotency import once
from service.profiling import cancel_job, create_job
from service.schemas import ProfileRequest, Word

router = APIRouter(prefix="/v1/profile-jobs", tags=["devices"])


@router.post("", status_code=202)
def submit_profile_job(here: Here, response: Response, body: ProfileRequest, key: Key = None) -> Json:
    """Measure a device's table and calibrate it; one that is calibrated is checked for drift. Poll the Location.

    `refresh` measures all of it again in a new generation. What was measured before a job ended in any way stays.
    """
    with here.database.write() as session:
        faults = list(device_faults(session, body.device, "#/device"))
        if faults:
            raise InvalidRequest(faults)
        document = body.model_dump(mode="json")
        job_id = once(session, key, "profile-jobs", document, lambda: create_job(session, document))
    response.headers["Location"] = f"/v1/profile-jobs/{job_id}"
    return get_profile_job(here, job_id)


@router.get("")
def list_profile_jobs(
    here: Here, page: Paged, request: Request, response: Response, device: Annotated[Word | None, Query()] = None
) -> Json:
    """List profile jobs, newest first; of one device only, if given."""
    with here.database.read() as session:
        rows = profile_jobs.page(session, page.limit, page.before("prj"), device)
        items = [job_document(row) for row in rows]
    return listed(page, rows, items, request, response)


@router.get("/{job_id}")
def get_profile_job(here: Here, job_id: str) -> Json:
    """Show a profile job: state, progress, table, and at the end the calibration or the drift."""
    with here.database.read() as session:
        return job_document(profile_jobs.get(session, checked_id(job_id, "prj", "profile job")))


@router.post("/{job_id}:cancel", status_code=202)
@router.post("/{job_id}/cancel", status_code=202, include_in_schema=False)
def cancel_profile_job(here: Here, job_id: str) -> Json:
    """Stop a profile job within seconds; what it has measured stays. Cancelling twice is fine."""
    with here.database.write() as session:
        cancel_job(session, checked_id(job_id, "prj", "profile job"))
    return get_profile_job(here, job_id)

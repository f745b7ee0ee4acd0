"""/v1/devices/{id}/agents and /v1/agents: programs on users' boards take what there is to measure, and answer it."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, BinaryIO

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from db import agents, measure_jobs
from db.agents import LIVE_S, AgentRow
from db.base import Json, clock
from db.blobs import CHUNK_BYTES
from db.measure_jobs import Grant, MeasureState
from hwmodels.agent_protocol import JOB, LEASE, MEDIA_TYPE, TOKEN
from service.agents import AgentBody, accept_reply, authorise, register, release, renew, take_job
from service.dependencies import Here, checked_id
from service.hardware import device_here
from service.views import counts_document, moment
from service.workspace import Workspace

EVERY_S = 0.1
LONGEST_S = 30.0

router = APIRouter(prefix="/v1", tags=["agents"])

Token = Annotated[int, Header(alias=TOKEN, ge=0, lt=2**62, description="The one that came with the job.")]
Bearer = Annotated[str, Header(alias="Authorization", description="Bearer and the key of the device.")]


@router.post("/devices/{device_id}/agents", status_code=201)
def register_agent(here: Here, device_id: str, body: AgentBody, authorization: Bearer = "") -> Json:
    """Come to serve a device; the reply's `id` is what the other requests need."""
    with here.database.write() as session:
        authorise(session, device_id, authorization)
        row = register(session, device_id, body)
        limits = {"lease_s": here.settings.lease_s, "reply_bytes": here.settings.upload_limit_bytes}
        return _document(row, clock(session)) | limits


@router.get("/devices/{device_id}/agents")
def list_agents(here: Here, device_id: str) -> Json:
    """List who serves a device, the latest first, and how many jobs it has in which state."""
    with here.database.read() as session:
        device = device_here(session, device_id).id.partition("@")[0]
        rows, now = agents.of_device(session, device), clock(session)
        counts = measure_jobs.count_by_state(session, device)
    return {"items": [_document(row, now) for row in rows], "jobs": counts_document(counts, list(MeasureState))}


def _agent(here: Here, agent_id: str, authorization: Bearer = "") -> AgentRow:
    """The agent that asks, known by its id and its device's key."""
    with here.database.read() as session:
        row = agents.get(session, checked_id(agent_id, "agt", "agent"))
        authorise(session, row.device, authorization)
        return row


Agent = Annotated[AgentRow, Depends(_agent)]


def _grant(agent: Agent, job_id: str, token: Token) -> Grant:
    return Grant(checked_id(job_id, "job", "measure job"), agent.id, token)


Granted = Annotated[Grant, Depends(_grant)]


@router.post(
    "/agents/{agent_id}/claim", response_class=StreamingResponse, responses={204: {"description": "No job yet"}}
)
async def claim_job(
    here: Here, request: Request, agent: Agent, wait_s: Annotated[float, Query(ge=0.0, le=LONGEST_S)] = 20.0
) -> Response:
    """Take the next job: a frame, with the job's id, token and lease in headers; 204 where there is none in time."""
    await run_in_threadpool(_seen, here, agent)
    deadline = time.monotonic() + wait_s
    while not await request.is_disconnected():
        found = await run_in_threadpool(take_job, here, agent)
        if found is not None:
            row, frame = found
            about = {JOB: row.id, TOKEN: str(row.token), LEASE: f"{here.settings.lease_s:g}"}
            about["Content-Length"] = str(os.fstat(frame.fileno()).st_size)
            return StreamingResponse(_pieces(frame), headers=about, media_type=MEDIA_TYPE)
        if time.monotonic() >= deadline or request.app.state.stopping.is_set():
            break
        await asyncio.sleep(EVERY_S)
    return Response(status_code=204)


@router.post("/agents/{agent_id}/jobs/{job_id}/renew")
def renew_job(here: Here, granted: Granted) -> Json:
    """Hold on to a job that is being worked on; 409 says that it is no longer wanted, or somebody else's."""
    renew(here, granted)
    return {"lease_s": here.settings.lease_s}


@router.put("/agents/{agent_id}/jobs/{job_id}")
async def answer_job(here: Here, request: Request, granted: Granted) -> Json:
    """Answer a job with a frame. 409: it isn't yours any more; 422: it is no answer, and the job goes back."""
    folder = here.blobs.root
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix="incoming-") as file:
        await _receive(request, file)
        await run_in_threadpool(accept_reply, here, granted, Path(file.name))
    return {"state": str(MeasureState.DONE)}


@router.post("/agents/{agent_id}/jobs/{job_id}/release", status_code=204)
def release_job(here: Here, granted: Granted) -> None:
    """Give a job back untouched: the agent is about to end."""
    release(here, granted)


async def _receive(request: Request, file: IO[bytes]) -> None:
    try:
        async for chunk in request.stream():
            file.write(chunk)
    except ClientDisconnect as error:
        raise HTTPException(400, "the reply was cut off") from error
    file.flush()


def _pieces(frame: BinaryIO) -> Iterator[bytes]:
    with frame:
        yield from iter(lambda: frame.read(CHUNK_BYTES), b"")


def _seen(here: Workspace, agent: AgentRow) -> None:
    with here.database.write() as session:
        agents.seen(session, agent.id)


def _document(row: AgentRow, now: float) -> Json:
    return {
        "id": row.id,
        "device": row.device,
        "live": now - row.last_seen_at < LIVE_S,
        "machine": row.machine,
        "runtimes": row.runtimes,
        "protocol": row.protocol,
        "version": row.version,
        "first_seen_at": moment(row.first_seen_at),
        "last_seen_at": moment(row.last_seen_at),
    }

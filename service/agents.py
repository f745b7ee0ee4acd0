"""What agents may do: register, take a job, renew it, answer it, give it back. Nothing that one says is believed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

from pydantic import Field
from sqlalchemy.orm import Session

from db import agents, measure_jobs, own_devices
from db.agents import LIVE_S, AgentRow, Board
from db.base import clock
from db.measure_jobs import Grant, MeasureJobRow
from db.queue import StaleLease
from hwmodels.agent_protocol import PROTOCOL, BadFrame
from hwmodels.profilers.installed import DISTRIBUTIONS
from service.agent_replies import check_reply
from service.errors import Conflict, FieldError, InvalidRequest, NotHere, Unauthorized
from service.hardware import find_device
from service.schemas import Strict, Word
from service.workspace import Workspace

REQUEST, REPLY = ".request", ".reply"
"""Suffixes of a job's frames in the blob store, followed by its id: each is one job's own and goes with it."""


class AgentBody(Strict):
    """An agent that comes to serve a device, and the machine that it runs on."""

    protocol: int = Field(ge=0, lt=2**31, description="Of this exchange; see docs/how-to/add-a-board.md.")
    version: Word = Field(description="Of the agent.")
    machine: Word = Field(description="What tells this machine from others as far as latency goes.")
    runtimes: dict[Word, Word] = Field(max_length=32, description="Runtime to version.")
    new_table: bool = Field(False, description="Whether the device goes on here though it was another machine before.")


def authorise(session: Session, device_id: str, authorization: str) -> None:
    """Raises Unauthorized for any key but the device's, NotHere for a device that no agents serve."""
    row = own_devices.find(session, device_id)
    if row is None or not row.agent_key_sha256:
        raise NotHere(f"there is no device {device_id[:100]!r} that agents serve; POST /v1/devices makes one")
    kind, _, key = authorization.partition(" ")
    shown = hashlib.sha256(key.strip().encode()).hexdigest()
    if kind.lower() != "bearer" or not hmac.compare_digest(shown, row.agent_key_sha256):
        raise Unauthorized(f"this isn't the key of {device_id}: it was shown once, when the device was made")


def register(session: Session, device_id: str, body: AgentBody) -> AgentRow:
    """A new agent of a device. Raises Conflict where it can't serve it, saying what would help."""
    if body.protocol != PROTOCOL:
        older = "agent" if body.protocol < PROTOCOL else "service"
        raise Conflict(
            f"the agent speaks protocol {body.protocol} and this service {PROTOCOL}: the {older} is older. "
            f"Install the same version for both; this service is {version('fitwright')}"
        )
    board = Board(body.machine, body.runtimes)
    _check_runtime(session, device_id, board)
    if not body.new_table:
        _check_same_board(session, device_id, board)
    return agents.register(session, device_id, board, body.protocol, body.version)


def _check_runtime(session: Session, device_id: str, board: Board) -> None:
    runtime = find_device(session, device_id).profiler
    if runtime not in board.runtimes:
        there = ", ".join(f"{name} {v}" for name, v in board.runtimes.items()) or "none"
        raise Conflict(
            f"{device_id} is timed by {runtime}, which isn't installed where the agent runs (runtimes there: {there}): "
            f"pip install {DISTRIBUTIONS.get(runtime, runtime)}, then start the agent again"
        )


def _check_same_board(session: Session, device_id: str, board: Board) -> None:
    """A device is one kind of machine with one version of its runtime, as long as it has measurements of it."""
    before, runtime = agents.newest(session, device_id), find_device(session, device_id).profiler
    if before is None:
        return
    there, here = (before.machine, before.runtimes[runtime]), (board.machine, board.runtimes[runtime])
    used = agents.has_table(session, device_id, *there)
    if there == here or not (used or clock(session) - before.last_seen_at < LIVE_S):
        return
    raise Conflict(
        f"{device_id} was so far {there[0]} with {runtime} {there[1]}, and this is {here[0]} with {runtime} {here[1]}: "
        "figures of the two don't add up. Make a device of its own for this board, or start the agent with "
        "--new-table to go on here with a table of its own"
    )


def take_job(here: Workspace, agent: AgentRow) -> tuple[MeasureJobRow, BinaryIO] | None:
    """The next job of an agent and the frame that tells what to do. An idle look takes no write lock.

    The frame is open, so that it can be sent even when the job is withdrawn meanwhile.
    """
    with here.database.read() as session:
        if not measure_jobs.claimable(session, agent):
            return None
    with here.database.write() as session:
        row = measure_jobs.claim(session, agent, here.settings.lease_s)
        if row is None:
            return None
        agents.seen(session, agent.id)
        try:
            return row, request_path(here, row).open("rb")
        except FileNotFoundError:
            measure_jobs.finish(session, row, error=f"the request is no longer in {here.blobs.root}")
            return None


def renew(here: Workspace, grant: Grant) -> None:
    """Holds on to a job. Raises NotFound, and Conflict where it is no longer the agent's."""
    with here.database.write() as session:
        agents.seen(session, grant.agent)
        try:
            measure_jobs.renew(session, grant, here.settings.lease_s)
        except StaleLease as error:
            raise Conflict(str(error)) from error


def release(here: Workspace, grant: Grant) -> None:
    """Gives a job back untouched; it doesn't count as an attempt. Raises as `renew` does."""
    with here.database.write() as session:
        measure_jobs.put_back(session, _held(session, grant))


def accept_reply(here: Workspace, grant: Grant, path: Path) -> None:
    """Takes the reply in a file as the answer of a job, once it is known to be one.

    Raises:
        Conflict, NotFound: the job isn't this agent's, or is over; the reply counts for nothing.
        InvalidRequest: names what is wrong with the reply; the job goes back.
    """
    with here.database.write() as session:
        row = _held(session, grant)
        row.lease_until = clock(session) + here.settings.lease_s
        agents.seen(session, grant.agent)
    try:
        check_reply(path, row.header)
    except BadFrame as error:
        with here.database.write() as session:
            measure_jobs.put_back(session, _held(session, grant), blame=str(error)[:500])
        raise InvalidRequest([FieldError("#", str(error)[:500])]) from error
    blob = here.blobs.put_file(path, f"{REPLY}-{row.id}")
    try:
        with here.database.write() as session:
            measure_jobs.finish(session, _held(session, grant), blob.sha256)
    except Conflict:
        blob.path.unlink(missing_ok=True)
        raise


def request_path(here: Workspace, row: MeasureJobRow) -> Path:
    """Where a job's frame is."""
    return here.blobs.path(row.request, f"{REQUEST}-{row.id}")


def reply_path(here: Workspace, row: MeasureJobRow) -> Path:
    """Where a job's answer is."""
    return here.blobs.path(row.reply, f"{REPLY}-{row.id}")


def drop_frames(here: Workspace, rows: Iterable[MeasureJobRow]) -> None:
    """Removes the frames of jobs that nobody waits for any more."""
    for row in rows:
        for path in (request_path(here, row), reply_path(here, row)):
            path.unlink(missing_ok=True)


def _held(session: Session, grant: Grant) -> MeasureJobRow:
    try:
        return measure_jobs.held(session, grant)
    except StaleLease as error:
        raise Conflict(str(error)) from error

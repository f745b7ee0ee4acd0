"""RemoteChannel: the way to agents on users' boards. A request becomes jobs in a table; whoever claims one answers."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from db import agents, measure_jobs
from db.agents import AgentRow
from db.base import clock
from db.ids import new_id
from db.measure_jobs import MeasureJobRow
from hwmodels.base import HardwareModelError, MeasurementFailed, MissingRuntime, UnsupportedOp
from hwmodels.device import Device
from hwmodels.profilers.channel import Reply
from hwmodels.profilers.frames import pack
from hwmodels.profilers.installed import DISTRIBUTIONS
from service.agents import REQUEST, drop_frames
from service.heartbeat import Ending
from service.remote_parts import joined, parts
from service.remote_wait import Wait
from service.workspace import Workspace

NOT_IN_DIGEST = ("timeout_s", "gauge_s")
"""Entries of a request that two equal ones may differ in: patience, and how fast the machine was seen to be."""
log = logging.getLogger(__name__)


class NoAgent(HardwareModelError):
    """No agent has ever served the device."""


def remote_channel(workspace: Workspace, device: Device | str) -> RemoteChannel:
    """The channel to the agents of a device, whatever its settings; nothing is asked before it is used."""
    id = device if isinstance(device, str) else device.id
    return RemoteChannel(workspace, id.partition("@")[0])


class RemoteChannel:
    """Implements Channel for the kind of machine and the runtimes that the device's newest agent has.

    An agent may vanish and come back: a request waits `agent_patience_s` for any of the device's agents. The watch of
    the task (service/watch.py) can end the waiting, which withdraws what nobody else wants.
    """

    def __init__(self, workspace: Workspace, device: str) -> None:
        self._workspace, self._device = workspace, device
        self._board: AgentRow | None = None

    @property
    def machine(self) -> str:
        """The machine of the device's agents. Raises NoAgent."""
        return self._known().machine

    def version(self, runtime: str) -> str:
        """Raises NoAgent, and MissingRuntime where the agents don't have it."""
        there: Mapping[str, str] = self._known().runtimes
        if runtime not in there:
            raise MissingRuntime(
                f"{runtime} is not installed where the agent of {self._device} runs: "
                f"pip install {DISTRIBUTIONS.get(runtime, runtime)} there, then start the agent again"
            )
        return there[runtime]

    def request(self, header: dict[str, Any], blobs: Sequence[bytes] = (), timeout_s: float = 120.0) -> Reply:
        """The agents' answer to one request, which is cut into jobs small enough to lose.

        Raises MeasurementFailed where the runtime crashed, hung or refused, where agents died of it and where none
        comes back in time; UnsupportedOp; and whatever ends the task.
        """
        version, jobs = self.version(header["runtime"]), list[str]()
        try:
            for part, programs in parts(header | {"timeout_s": timeout_s}, blobs):
                jobs.append(self._submit(part, programs, version))
            replies = Wait(self._workspace, self._device, self._known().machine, jobs).replies()
        except (Ending, KeyboardInterrupt):
            raise  # whoever goes on with the task finds the jobs as they are, or answered
        except BaseException:
            self._leave(jobs, taken=False)
            raise
        self._leave(jobs, taken=True)
        for reply, _ in replies:
            if reply.get("unsupported"):
                raise UnsupportedOp(reply["error"])
            if "error" in reply:
                raise MeasurementFailed(reply["error"])
        return joined(replies)

    def close(self) -> None:
        """Nothing to end: agents stay where they are."""

    def _known(self) -> AgentRow:
        """The agent whose machine this channel stands for from its first use on, so that figures never mix."""
        if self._board is None:
            with self._workspace.database.read() as session:
                self._board = agents.newest(session, self._device)
        if self._board is None:
            raise NoAgent(
                f"no agent has ever served {self._device}; start one on the board, with the key that was shown when "
                f"the device was made: {self._command()}"
            )
        return self._board

    def _command(self) -> str:
        settings = self._workspace.settings
        address = f"http://{settings.host}:{settings.port}"
        return f"fitwright agent --server {address} --key KEY --device {self._device}"

    def _submit(self, header: dict[str, Any], blobs: Sequence[bytes], version: str) -> str:
        """The id of a job for this request: an equal one that is open already, or a new one."""
        board, database = self._known(), self._workspace.database
        digest = _digest(header, blobs, version)
        with database.write() as session:
            open_one = measure_jobs.join(session, self._device, board.machine, digest)
        if open_one is not None:
            return open_one.id
        job_id = new_id("job")
        frame = self._workspace.blobs.put(pack(header, blobs), f"{REQUEST}-{job_id}")
        about = {"device": self._device, "machine": board.machine, "runtime": header["runtime"], "version": version}
        asked = {"digest": digest, "header": header, "timeout_s": header["timeout_s"], "request": frame.sha256}
        with database.write() as session:
            session.add(MeasureJobRow(id=job_id, **about, **asked, created_at=clock(session)))
            drop_frames(self._workspace, measure_jobs.sweep(session))
        return job_id

    def _leave(self, jobs: Sequence[str], taken: bool) -> None:
        """Says that nobody waits here any more; the frames go with the last one who did."""
        try:
            with self._workspace.database.write() as session:
                last = [row for job in jobs if (row := measure_jobs.leave(session, job, taken)) is not None]
            drop_frames(self._workspace, last)
        except SQLAlchemyError as error:
            log.warning("jobs for %s stay until they are a day old: %s", self._device, error)


def _digest(header: Mapping[str, Any], blobs: Sequence[bytes], version: str) -> str:
    same = {name: value for name, value in header.items() if name not in NOT_IN_DIGEST}
    hashes = [hashlib.sha256(blob).hexdigest() for blob in blobs]
    return hashlib.sha256(json.dumps([same, hashes, version], sort_keys=True).encode()).hexdigest()

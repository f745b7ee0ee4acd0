"""A service, a device that agents serve, and the agents that were started for it; what must hold afterwards."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from db.measure_jobs import MeasureJobRow
from db.measurements import MeasurementRow
from hwmodels.disturbed import Disturbed
from hwmodels.machine import machine_key
from service.workspace import Workspace
from tests.acceptance.serving import Service, wait_for
from tests.service.agent_calls import add_device
from tests.service.agent_processes import Agent, Board, free_port, jobs_of, service_on, settings_at
from tests.service.helpers import tiny_fwm, tiny_npz

REQUEST: dict[str, Any] = {"limits": {"macs": "0.8x", "latency": "5x"}, "evaluations": 4, "recovery_epochs": 0}


class Run:
    """A service, a device that agents serve, and the agents that were started for it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.port, self._stack, self._started = folder, free_port(), stack, 0
        self.board = Board(folder)
        self.running = self.serve()
        with httpx.Client(base_url=self.running.address) as http:
            self.arguments = ["--server", self.running.address, "--key", add_device(http), "--device", "my-board"]

    def serve(self) -> Service:
        return self._stack.enter_context(service_on(self.port, self.folder / "home", workers="1"))

    def agent(self, **variables: str) -> Agent:
        self._started += 1
        started = self.board.start(*self.arguments, name=f"agent-{self._started}", **variables)
        self._stack.callback(started.kill)
        started.wait_for("serving my-board")
        return started

    def search(self) -> str:
        client = self.running.client
        model, data = client.upload_model(tiny_fwm(self.folder)), client.upload_dataset(tiny_npz(self.folder))
        return client.submit(model, data, device="my-board", **REQUEST)

    def ended(self, search_id: str) -> dict[str, Any]:
        return self.running.client.wait(search_id)


def killed_at_work(run: Run, agent: Agent, after: int) -> None:
    """kill -9 of an agent that has a job, once so many are done; another one's where it was answered just then."""
    address = run.running.address
    wait_for(lambda: (jobs := jobs_of(address))["running"] and jobs["done"] >= after, seconds=60.0)
    agent.kill()
    if not jobs_of(address)["running"]:
        killed_at_work(run, run.agent(), after)


def check_counts(run: Run) -> int:
    """Every job has one reply, every row of the table was measured in one, and in another only after that was read and
    as often as what was disturbed may be; how often one had to be repeated."""
    here = Workspace(settings_at(run.folder / "home"))
    with here.database.read() as session:
        jobs = list(session.scalars(select(MeasureJobRow)))
        rows = list(session.scalars(select(MeasurementRow)))
    here.close()
    assert {job.state for job in jobs} == {"done"}
    timed: dict[str, list[MeasureJobRow]] = {}
    for job in sorted(jobs, key=lambda job: job.created_at):
        for label in job.header["labels"] if job.header.get("effort") == "nodes" else ():
            timed.setdefault(label, []).append(job)
    for of_one in timed.values():
        assert len(of_one) <= Disturbed().turns
        assert all(job.taken_at for job in of_one)
        assert all(float(first.taken_at or 0.0) <= then.created_at for first, then in pairwise(of_one))
    signatures = {row.document["signature"] for row in rows} - {"an empty call", "a fixed piece of work"}
    assert set(timed) == signatures
    assert {row.device_key.partition(" | ")[0] for row in rows} == {"my-board"}
    assert all(row.device_key.endswith(machine_key()) for row in rows)
    return sum(job.attempt - 1 for job in jobs)

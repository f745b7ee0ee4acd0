"""A search that two agents serve, one of them with a clock that jumps, while the service is killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.acceptance.serving import wait_for
from tests.service.agent_processes import jobs_of
from tests.service.agent_runs import Run, check_counts


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with ExitStack() as stack:
        yield Run(tmp_path, stack)


@pytest.mark.slow
def test_two_agents_and_a_service_that_is_killed(run: Run) -> None:
    """One of the agents has a clock that jumps by years: neither that nor the restart shows in what was measured."""
    agents = [run.agent(), run.agent(JUMPING_CLOCK="1")]
    search_id = run.search()
    wait_for(lambda: jobs_of(run.running.address)["done"] >= 2, seconds=60.0)
    run.running.process.kill()
    run.running.process.wait()
    run.running = run.serve()
    found = run.ended(search_id)
    assert (found["state"], found["outcome"]) == ("succeeded", "feasible"), found["state_reason"]
    check_counts(run)
    assert all(agent.process.poll() is None for agent in agents)
    assert all(": done, " in agent.said for agent in agents)
    listed = httpx.get(f"{run.running.address}/v1/devices/my-board/agents").json()["items"]
    assert [row["live"] for row in listed] == [True, True], json.dumps(listed)

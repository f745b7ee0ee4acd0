"""A search that an agent serves, end to end, with kill -9 of the agent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.service.agent_runs import Run, check_counts, killed_at_work


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with ExitStack() as stack:
        yield Run(tmp_path, stack)


def test_an_agent_killed_twice_loses_nothing(run: Run) -> None:
    """The search ends with a recipe; what the dead ones held was done by the next, and nothing is there twice."""
    first = run.agent()
    search_id = run.search()
    killed_at_work(run, first, after=0)
    killed_at_work(run, run.agent(), after=2)
    run.agent()
    found = run.ended(search_id)
    assert (found["state"], found["outcome"]) == ("succeeded", "feasible"), found["state_reason"]
    assert check_counts(run) >= 2

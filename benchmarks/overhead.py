"""What a trial costs outside its evaluation: rows, leases, events, suggestions; on SQLite, in one worker.

A search whose evaluations take no time runs through the real queue, worker and database; the floor is the same
steps in a plain loop in the same run.

    python -m benchmarks.overhead
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from service.settings import Settings
from service.workspace import Workspace
from tests.service import toy_steps
from tests.service.helpers import toy_search, trials_of, work

TRIALS = 60


def main() -> None:
    """Prints milliseconds per trial and their ratio to the floor."""
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace(Settings(home=Path(home)))
        toy_search(workspace, evaluations=4)
        work(workspace)
        search = toy_search(workspace, evaluations=TRIALS)
        start = time.perf_counter()
        work(workspace)
        seconds = time.perf_counter() - start
        count = len(trials_of(workspace, search))
    floor = plain_loop(count)
    each = 1e3 * seconds / count
    print(f"{count} trials: {each:.2f} ms a trial around its evaluation; a plain loop takes {floor:.3f} ms")


def plain_loop(count: int) -> float:
    """Milliseconds per trial of the same steps without database, queue and worker."""
    prepared = {"limits": [{"metric": "latency", "value": 0.6, "text": "0.6x"}], "evaluations": count}
    start = time.perf_counter()
    for number in range(count):
        toy_steps.costs(0.5 + number / 1000)
    del prepared
    return 1e3 * (time.perf_counter() - start) / count


if __name__ == "__main__":
    main()

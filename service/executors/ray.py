"""Workers as Ray actors: the same loop, on a cluster that listens on this machine alone."""

from __future__ import annotations

import importlib
import os
from typing import Any

from service.executors.local import STOP_S, give_back
from service.settings import Settings, load_settings
from service.worker import Worker, free_tasks_of_dead
from service.workspace import Workspace

ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # without it, Ray's ports listen on every interface
    "RAY_worker_niceness": "0",  # the default of 15 starves workers on a busy machine
    "RAY_USAGE_STATS_ENABLED": "0",
}


class RayActor:
    """A worker in an actor. Ray starts it again when it dies, and calls `run` again."""

    def __init__(self, settings: dict[str, Any], steps: str) -> None:
        self._workspace = Workspace(load_settings(**settings))
        free_tasks_of_dead(self._workspace)
        self._worker = Worker(self._workspace, importlib.import_module(steps), expendable=True)

    def run(self) -> None:
        """Works until `stop`."""
        self._worker.run()

    def stop(self) -> None:
        """Ends `run` at the next moment at which the work can be left."""
        self._worker.stop()


class RayExecutor:
    """`settings.workers` actors on a Ray of this service's own. `steps` names the module that they work with."""

    def __init__(self, settings: Settings, steps: str = "search.steps") -> None:
        self._settings, self._steps = settings, steps
        self._actors: list[Any] = []
        self._runs: list[Any] = []

    def start(self) -> None:
        """Starts Ray, then the actors."""
        os.environ.update(ENVIRONMENT)  # read when Ray is imported and by the processes that it starts
        import ray

        count = self._settings.workers
        ray.init(
            address="local",
            num_cpus=count,
            num_gpus=0,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
        )
        actor = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=-1, max_concurrency=2)(RayActor)
        given = self._settings.model_dump(mode="json")
        self._actors = [actor.remote(given, self._steps) for _ in range(count)]
        self._runs = [each.run.remote() for each in self._actors]

    def stop(self) -> None:
        """Asks the actors to stop, ends Ray, and gives back what they were working on."""
        import ray

        for actor in self._actors:
            actor.stop.remote()
        ray.wait(self._runs, num_returns=len(self._runs), timeout=STOP_S)
        ray.shutdown()
        workspace = Workspace(self._settings)
        give_back(workspace)
        workspace.close()

"""Where workers run: the Executor protocol, and the one that the settings name."""

from __future__ import annotations

from typing import Protocol

from service.executors.local import LocalExecutor
from service.settings import Settings


class Executor(Protocol):
    """Keeps a number of workers running."""

    def start(self) -> None:
        """Starts the workers; those that die are started again."""

    def stop(self) -> None:
        """Ends them and gives back what they were working on."""


def make_executor(settings: Settings) -> Executor:
    """Processes of this machine, or Ray actors; Ray is only loaded where it is asked for."""
    if settings.executor == "ray" and settings.workers:
        from service.executors.ray import RayExecutor

        return RayExecutor(settings)
    return LocalExecutor(settings)

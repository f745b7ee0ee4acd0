"""Cores: each thread of a measurement stays on one of its own, where the operating system lets a process say so.

Left to itself a scheduler puts two threads on one core every other time and takes milliseconds to notice, which is
longer than what is measured takes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TASKS = Path("/proc/self/task")


@contextmanager
def pinned_threads() -> Iterator[None]:
    """Pins the calling thread, and those that are started in the block, to a core each; does nothing where there are
    too few cores for them, or no way to say so."""
    before = _threads()
    yield
    started = sorted(_threads() - before)
    cores = sorted(os.sched_getaffinity(0)) if started else []
    if len(started) < len(cores):
        for thread, core in zip([0, *started], cores):
            os.sched_setaffinity(thread, {core})


def _threads() -> set[int]:
    return {int(each.name) for each in _TASKS.iterdir()} if _TASKS.is_dir() else set()

"""Cores: each thread of a measurement stays on one of its own, where the operating system lets a process say so.

Left to itself a scheduler puts two threads on one core every other time and takes milliseconds to notice, which is
longer than what is measured takes. A host does the same with two virtual cores, for seconds or minutes, and tells
nobody: they are then halves of one. Nor are cores alike: some are faster by design, and of two equal ones of an EPYC of
2024 one reads what the other's second cache holds no more 8 % faster, so that a thread that moves has two latencies.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROWS, TIMES = 256, 20
"""Rows and columns of the products that tell whether two cores are apart, and how many are timed."""
HALVES = 1.2
"""How many times longer work takes, at least, while another half of its core works: 1.4 to 2 times was seen."""
ASKED = 4
"""Cores that are asked whether they are quiet, at most: each that isn't takes a tenth of a second to say so."""

_TASKS = Path("/proc/self/task")
_CORES = Path("/sys/devices/system/cpu")


@contextmanager
def one_core(is_quiet: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Keeps all threads of this process on one core in the block, then gives them all cores back. Does nothing where
    there is no way to say so.

    It is the same core in every process, unless that isn't quiet and another one as good is: a neighbour has one of
    them for some seconds. `is_quiet` is asked on `ASKED` cores at most.
    """
    allowed = os.sched_getaffinity(0) if _TASKS.is_dir() else set()
    if allowed:
        _move_to_quiet(best_cores(allowed)[:ASKED], is_quiet)
    try:
        yield
    finally:
        if allowed:
            _move(allowed)


def best_cores(allowed: Iterable[int]) -> list[int]:
    """Those whose clock may be highest, the last one first: the first ones serve the system's interrupts."""
    clocks = {core: _highest_clock(core) for core in allowed}
    return sorted((core for core in clocks if clocks[core] == max(clocks.values())), reverse=True)


def _move_to_quiet(cores: Sequence[int], is_quiet: Callable[[], bool]) -> None:
    """To the first core that is quiet; to the first one where none is."""
    for core in cores:
        _move({core})
        if len(cores) == 1 or is_quiet():
            return
    _move({cores[0]})


def _highest_clock(core: int) -> int:
    """In kHz; 0 where the system doesn't tell."""
    try:
        return int((_CORES / f"cpu{core}" / "cpufreq" / "cpuinfo_max_freq").read_text())
    except (OSError, ValueError):
        return 0


def _move(cores: set[int]) -> None:
    for thread in _threads():
        with suppress(OSError):  # it may have ended, or these cores may be taken away meanwhile
            os.sched_setaffinity(thread, cores)


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


def are_apart() -> bool:
    """Whether work on one core leaves the time that the same work takes on another alone."""
    matrix = np.random.default_rng(0).standard_normal((ROWS, ROWS)).astype(np.float32)
    alone_s = _mean_s(matrix)
    done = threading.Event()
    other = threading.Thread(target=partial(_work, done, matrix), daemon=True)
    other.start()
    together_s = _mean_s(matrix)
    done.set()
    other.join()
    return together_s < HALVES * alone_s


def _work(done: threading.Event, matrix: NDArray[np.float32]) -> None:
    """Works on the last core until that is done."""
    with suppress(AttributeError, OSError):  # where cores can't be chosen the scheduler has to
        os.sched_setaffinity(0, {max(1, os.cpu_count() or 1) - 1})
    while not done.is_set():
        np.matmul(matrix, matrix)


def _mean_s(matrix: NDArray[np.float32]) -> float:
    start = time.perf_counter()
    for _ in range(TIMES):
        np.matmul(matrix, matrix)
    return (time.perf_counter() - start) / TIMES


def _threads() -> set[int]:
    return {int(each.name) for each in _TASKS.iterdir()} if _TASKS.is_dir() else set()

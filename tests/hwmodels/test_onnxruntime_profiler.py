from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwmodels.base import MeasurementFailed
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.profilers.onnxruntime import OnnxRuntimeProfiler
from hwmodels.profilers.process import Child
from hwmodels.settings import with_settings
from tests.onnx_networks import convolutional, endless


@pytest.fixture
def profiler() -> Iterator[OnnxRuntimeProfiler]:
    profiler = OnnxRuntimeProfiler()
    yield profiler
    profiler.close()


def child_of(profiler: OnnxRuntimeProfiler) -> Child:
    """The process of a profiler that measures here."""
    assert isinstance(profiler.channel, Child)
    return profiler.channel


def gone(pid: int) -> bool:
    """Whether the process ends within ten seconds; one that nobody has waited for yet has ended."""
    status = Path(f"/proc/{pid}/stat")
    for _ in range(200):
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_the_gauge_is_shared_between_profilers(profiler: OnnxRuntimeProfiler) -> None:
    """The best time that one process saw holds for the next, so that it knows a quiet machine from the start."""
    profiler.gauge_s = 1e-9
    overhead = profiler.measure_itself(LOCAL_ONNXRUNTIME)
    assert profiler.gauge_s == 1e-9
    assert overhead.disagreement > 1.0


def test_a_measurement_says_what_the_gauge_took(profiler: OnnxRuntimeProfiler) -> None:
    """The processor's work and memory on one thread; on several, which read memory otherwise, the first alone."""
    (found,) = profiler.glance([convolutional()], LOCAL_ONNXRUNTIME)
    assert 0.0 < found.gauge_s < found.memory_s
    (both,) = profiler.glance([convolutional()], with_settings(LOCAL_ONNXRUNTIME, {"threads": 2}))
    assert (both.gauge_s > 0.0, both.memory_s) == (True, 0.0)


def test_a_hang_becomes_measurement_failed() -> None:
    """A network that never ends is given up, its process is killed, and the next request is served by another."""
    profiler = OnnxRuntimeProfiler(timeout_s=3.0)
    with pytest.raises(MeasurementFailed, match=r"didn't answer within 3 s .*network 0"):
        profiler.measure([endless()], LOCAL_ONNXRUNTIME)
    assert len(profiler.nodes(convolutional(), LOCAL_ONNXRUNTIME)) > 3
    profiler.close()


def test_a_crash_becomes_measurement_failed(profiler: OnnxRuntimeProfiler) -> None:
    """A child that dies in the middle is reported with the signal and what it was at."""
    profiler.nodes(convolutional(), LOCAL_ONNXRUNTIME)
    pid = child_of(profiler).pid
    killer = threading.Timer(0.5, os.kill, (pid, signal.SIGSEGV))
    killer.start()
    with pytest.raises(MeasurementFailed, match=r"SIGSEGV.*network 0"):
        profiler.measure([endless()], LOCAL_ONNXRUNTIME)
    assert gone(pid)


def test_two_threads_are_one_shared_pool(profiler: OnnxRuntimeProfiler) -> None:
    """However many networks are open, one thread stands beside the one that calls, each on a core of its own; another
    number gets another process."""
    both = with_settings(LOCAL_ONNXRUNTIME, {"threads": 2})
    profiler.glance([convolutional()], both)
    pid = child_of(profiler).pid
    threads = len(os.listdir(f"/proc/{pid}/task"))
    profiler.glance([convolutional(width) for width in (8, 16, 24)], both)
    assert len(os.listdir(f"/proc/{pid}/task")) == threads
    places = [os.sched_getaffinity(int(task)) for task in os.listdir(f"/proc/{pid}/task")]
    cores = len(os.sched_getaffinity(0))
    assert cores < 2 or len({min(p) for p in places if len(p) == 1}) == 2
    profiler.glance([convolutional()], LOCAL_ONNXRUNTIME)
    assert child_of(profiler).pid != pid


def test_what_is_no_network_is_refused_with_the_reason(profiler: OnnxRuntimeProfiler) -> None:
    """Bytes that aren't ONNX are the runtime's to refuse; the child lives on."""
    profiler.nodes(convolutional(), LOCAL_ONNXRUNTIME)
    pid = child_of(profiler).pid
    with pytest.raises(MeasurementFailed, match=r"refused: .*protobuf"):
        profiler.measure([b"not a network"], LOCAL_ONNXRUNTIME)
    assert child_of(profiler).pid == pid


def test_the_child_ends_with_its_profiler() -> None:
    """Neither a process nor its temporary folder outlives the object."""
    profiler = OnnxRuntimeProfiler()
    profiler.nodes(convolutional(), LOCAL_ONNXRUNTIME)
    pid, folder = child_of(profiler).pid, Path(child_of(profiler)._running.folder)  # type: ignore[union-attr]
    assert folder.is_dir()
    del profiler
    gc.collect()
    assert gone(pid)
    assert not folder.exists()


def test_the_child_ends_when_its_parent_is_killed() -> None:
    """A parent that gets no chance to clean up leaves neither a process nor a folder behind."""
    script = """
import os, signal
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.profilers.onnxruntime import OnnxRuntimeProfiler
from tests.onnx_networks import convolutional
profiler = OnnxRuntimeProfiler()
profiler.nodes(convolutional(), LOCAL_ONNXRUNTIME)
print(profiler.channel.pid, profiler.channel._running.folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    pid, folder = done.stdout.split()
    assert gone(int(pid))
    assert not Path(folder).exists()

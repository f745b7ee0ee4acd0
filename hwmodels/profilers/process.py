"""Child: a process of its own for native code that may crash or hang. One request at a time, started when needed."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hwmodels
from hwmodels.base import MeasurementFailed, UnsupportedOp
from hwmodels.machine import machine_key
from hwmodels.profilers.channel import Reply
from hwmodels.profilers.frames import pack, unpack
from hwmodels.profilers.installed import installed

ROOT = Path(str(hwmodels.__file__)).parents[1]


class Child:
    """Runs `python -m <module> <temporary folder>` and exchanges frames with it.

    It is kept for the next request, and replaced once it died or a request is for another number of threads, which
    a runtime's pool can't be given later. It ends with this object, with this process (end of
    file on its input), and at the latest a second after a request's time is up.
    """

    def __init__(self, module: str = "hwmodels.profilers.child") -> None:
        self.module = module
        self._lock = threading.Lock()
        self._running: _Running | None = None

    @property
    def machine(self) -> str:
        """This machine."""
        return machine_key()

    def version(self, runtime: str) -> str:
        """The version that is installed here. Raises MissingRuntime, naming the extra that brings it."""
        return installed(runtime)

    def request(self, header: dict[str, Any], blobs: Sequence[bytes] = (), timeout_s: float = 120.0) -> Reply:
        """The child's reply.

        Raises MeasurementFailed where it crashed, hung or refused, and UnsupportedOp where it says so.
        """
        with self._lock:
            reply, answer = self._exchange(header | {"timeout_s": timeout_s}, blobs, time.monotonic() + timeout_s)
        if reply.get("unsupported"):
            raise UnsupportedOp(reply["error"])
        if "error" in reply:
            raise MeasurementFailed(reply["error"])
        return reply, answer

    def close(self) -> None:
        """Ends the child, if there is one; the next request starts another."""
        with self._lock:
            self._discard()

    @property
    def pid(self) -> int:
        """Process id of the child, 0 while there is none."""
        running = self._running
        return running.process.pid if running is not None and running.usable else 0

    def _exchange(self, header: dict[str, Any], blobs: Sequence[bytes], deadline: float) -> Reply:
        threads = int(header.get("threads", 1))
        if self._running is None or not self._running.usable or self._running.threads != threads:
            self._discard()
            self._running = _Running(self.module, threads)
        running = self._running
        try:
            return running.exchange(pack(header, blobs), deadline)
        except BaseException as error:  # half a reply may be left in the pipe, so this child is of no more use
            failure = running.explain(error, header["timeout_s"])
            self._discard()
            raise failure from None

    def _discard(self) -> None:
        if self._running is not None:
            self._running.end()
        self._running = None


class _Running:
    """One process with its pipes and a private temporary folder, which goes when the process does."""

    def __init__(self, module: str, threads: int) -> None:
        self.owner, self.threads = os.getpid(), threads
        self.folder = tempfile.mkdtemp(prefix="fitwright-")
        self.log = Path(self.folder) / "log"
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        own = {"PYTHONPATH": os.pathsep.join(paths), "TMPDIR": self.folder, "OMP_NUM_THREADS": "1"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, self.folder],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | own,
                start_new_session=True,
            )
        self.end = weakref.finalize(self, _end, self.process, self.folder, self.owner)

    @property
    def usable(self) -> bool:
        """Alive, and not a copy that a fork of the starting process holds."""
        return self.owner == os.getpid() and self.process.poll() is None

    def exchange(self, frame: list[bytes], deadline: float) -> Reply:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        for piece in frame:
            self.process.stdin.write(piece)
        self.process.stdin.flush()
        source = self.process.stdout.fileno()
        return unpack(lambda size: _read(source, size, deadline))

    def explain(self, error: BaseException, timeout_s: float) -> BaseException:
        """What to raise for an exchange that broke off: MeasurementFailed, or the error itself where it isn't ours."""
        if isinstance(error, TimeoutError):
            return MeasurementFailed(f"the runtime didn't answer within {timeout_s:g} s{self._last_words()}")
        if isinstance(error, EOFError | BrokenPipeError):
            return MeasurementFailed(f"the runtime {self._epitaph()}{self._last_words()}")
        return error

    def _epitaph(self) -> str:
        try:
            code = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "closed its output"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"

    def _last_words(self) -> str:
        text = self.log.read_text(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return f" ({'; '.join(lines[-2:])})" if lines else ""


def _end(process: subprocess.Popen[bytes], folder: str, owner: int) -> None:
    """Kills the child's whole process group, unless this is a fork of the process that started it."""
    if owner != os.getpid():
        return
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        try:
            if stream is not None:
                stream.close()
        except BrokenPipeError:
            pass  # it died with a request half written
    shutil.rmtree(folder, ignore_errors=True)


def _read(source: int, size: int, deadline: float) -> bytes:
    poll = select.poll()
    poll.register(source, select.POLLIN | select.POLLHUP)
    parts = bytearray()
    while len(parts) < size:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not poll.poll(left_s * 1000.0):
            raise TimeoutError
        part = os.read(source, min(size - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)

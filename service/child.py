"""Starts a process that reads what a stranger sent, and ends it with all that it started when it takes too long."""

from __future__ import annotations

import json
import os
import selectors
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.confine import ROOT

KEPT = ("PATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
"""All of the service's environment that the child is given: no passwords, no settings, no home."""
TAIL_BYTES, FLOOD_BYTES = 4096, 1 << 20
"""What is kept of the child's output, for the log, and how much of it ends the child."""

REPLY, MODEL = "reply.json", "model.fwm"
"""What a child leaves in its scratch folder."""


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit status (minus the signal), the end of its output, whether its time was up."""

    status: int
    output: str
    late: bool


def run(module: str, arguments: Sequence[str], scratch: Path, wall_s: float) -> Ended:
    """Runs `python -m module arguments` with `scratch` for a home. Never holds more than TAIL_BYTES of its output."""
    child = subprocess.Popen(
        [sys.executable, "-P", "-s", "-m", module, *arguments],
        env=_environment(scratch),
        cwd=scratch,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, late = _listen(child, time.monotonic() + wall_s)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if child.stdout is not None:
            child.stdout.close()
    return Ended(child.returncode, output.decode(errors="replace"), late)


def _environment(scratch: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    own = {"PYTHONPATH": paths, "HOME": str(scratch), "TMPDIR": str(scratch), "CUDA_VISIBLE_DEVICES": ""}
    return kept | one_thread | own | {"PYTHONDONTWRITEBYTECODE": "1"}


def _listen(child: subprocess.Popen[bytes], until: float) -> tuple[bytes, bool]:
    """The end of the child's output once it has ended, and whether it has to be ended because its time is up."""
    assert child.stdout is not None
    tail, seen = b"", 0
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, until - time.monotonic())):
            chunk = os.read(child.stdout.fileno(), 1 << 16)
            tail, seen = (tail + chunk)[-TAIL_BYTES:], seen + len(chunk)
            if seen > FLOOD_BYTES:
                return tail, False
            if not chunk:
                break
    try:
        child.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        return tail, True
    return tail, False


def read_object(path: Path, most_bytes: int) -> dict[str, Any] | None:
    """What a child wrote, if it is a JSON object of at most `most_bytes` in a plain file of its own."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                return None
            found = json.loads(stream.read(most_bytes))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None

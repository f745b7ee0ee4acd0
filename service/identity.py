"""Names of workers that tell, on the same machine, whether the process behind them is still alive."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path


def own_name() -> str:
    """`host-boot/pid/start`: no other process ever has the same."""
    return f"{_machine()}/{os.getpid()}/{_started(os.getpid())}"


def is_dead(name: str) -> bool:
    """True only where it is certain: the worker ran under this very kernel and its process is gone."""
    machine, _, rest = name.partition("/")
    pid, _, started = rest.partition("/")
    return machine == _machine() and pid.isdigit() and _started(int(pid)) != started


def _machine() -> str:
    """The host, its present boot and the namespace that process ids hold in."""
    parts = [_text("/proc/sys/kernel/random/boot_id")]
    try:
        parts.append(os.readlink("/proc/self/ns/pid"))
    except OSError:
        parts.append("")
    return f"{socket.gethostname()}-{hashlib.sha256(''.join(parts).encode()).hexdigest()[:8]}"


def _started(pid: int) -> str:
    """When the process started, in clock ticks since boot; empty when it is gone or a zombie."""
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return "" if len(fields) < 20 or fields[0] in "ZX" else fields[19]


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""

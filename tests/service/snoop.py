"""`python -m tests.service.snoop ACT ...`: what a file that took over its reader would try."""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.confine import confine


def look(scratch: Path, secret: Path, port: int) -> None:
    """Confines itself, then reports in the scratch folder how each attempt went."""
    force = confine(scratch, [], 1 << 30, 20, 1 << 20)
    attempts: dict[str, Callable[[], Any]] = {
        "read": secret.read_bytes,
        "write": lambda: secret.with_name("written").write_bytes(b""),
        "connect": lambda: socket.create_connection(("127.0.0.1", port), 5).close(),
        "start": lambda: os.posix_spawn("/bin/sh", ["sh", "-c", "true"], {}),
        "allocate": lambda: bytearray(2 << 30),
        "large file": lambda: (scratch / "large").write_bytes(bytes(2 << 20)),
    }
    found = {name: _try(attempt) for name, attempt in attempts.items()}
    facts = {"force": force, "environment": sorted(os.environ), "core": resource.getrlimit(resource.RLIMIT_CORE)[0]}
    (scratch / "found.json").write_text(json.dumps(facts | found | {"umask": os.umask(0)}))


def _try(attempt: Callable[[], Any]) -> str:
    try:
        attempt()
    except BaseException as error:
        return type(error).__name__
    return "done"


def flood() -> None:
    """Says something without end."""
    while True:
        sys.stdout.write("x" * 65536)


def linger(mark: Path) -> None:
    """Leaves a process behind that would write a file a little later, and waits."""
    if os.fork() == 0:
        time.sleep(3)
        mark.touch()
        return
    time.sleep(60)


if __name__ == "__main__":
    if sys.argv[1] == "look":
        look(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
    elif sys.argv[1] == "linger":
        linger(Path(sys.argv[2]))
    else:
        flood()

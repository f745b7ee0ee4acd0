"""Takes from this process what reading a stranger's file doesn't need: memory, time, files, the network.

Kernels and containers refuse one part or another, so each part says whether it is in force. Namespaces: unshare(2).
Landlock, which needs no privilege: landlock(7), Linux 5.13 on. All of it holds for every thread started afterwards,
so it is done before torch is imported.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

FILES, PROCESSES = 128, 64
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000
PARENT_DEATH_SIGNAL, NO_NEW_PRIVILEGES = 1, 38
CREATE_RULES, ADD_RULE, RESTRICT = 444, 445, 446
"""System call numbers of Landlock, the same on every architecture."""
ALL_ACCESS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Version of Landlock -> all the ways to touch a file that it knows."""
READ_FILE, READ_FOLDER = 1 << 2, 1 << 3
TCP, SCOPES = 0b11, 0b11
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
DEVICES = ("/proc/cpuinfo", "/proc/meminfo", "/proc/self", "/sys/devices/system/cpu", "/dev/null", "/dev/urandom")
ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("service", "search", "methods", "hwmodels", "db")


def confine(scratch: Path, readable: Iterable[Path], memory_bytes: int, cpu_s: int, file_bytes: int) -> list[str]:
    """Confines this process for good: it writes only in `scratch`, and reads `readable` and its own libraries.

    Returns what is in force: `limits`, and as far as the system allows `network`, `files` and `tcp`.
    """
    os.umask(0o077)
    for kind, limit in (
        (resource.RLIMIT_DATA, memory_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _limit(kind, limit)
    if sys.platform != "linux":
        return ["limits"]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    return ["limits", *_unshare(libc), *_landlock(libc, scratch, readable)]


def limit_mappings(memory_bytes: int) -> None:
    """Caps the address space at `memory_bytes` more than is mapped now, which is after the libraries are loaded."""
    pages = Path("/proc/self/statm")
    mapped = int(pages.read_text().split()[0]) * resource.getpagesize() if pages.exists() else 0
    _limit(resource.RLIMIT_AS, mapped + memory_bytes)


def _limit(kind: int, limit: int) -> None:
    hard = resource.getrlimit(kind)[1]
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (limit, limit))


def _unshare(libc: ctypes.CDLL) -> list[str]:
    """A network of its own with nothing in it; as nobody, where that is allowed."""
    if libc.unshare(NEW_USER | NEW_NETWORK) == 0:
        _limit(resource.RLIMIT_NPROC, PROCESSES)  # counted within the new namespace, not over all of the user's
        return ["network"]
    return ["network"] if libc.unshare(NEW_NETWORK) == 0 else []


def _landlock(libc: ctypes.CDLL, scratch: Path, readable: Iterable[Path]) -> list[str]:
    """No file but those named, no TCP, no signals to others; as far as the kernel's Landlock goes."""
    version = libc.syscall(CREATE_RULES, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return []
    every = ALL_ACCESS[max(v for v in ALL_ACCESS if v <= version)]
    fields = (every, *([TCP] if version >= 4 else []), *([SCOPES] if version >= 6 else []))
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    rules = libc.syscall(CREATE_RULES, attributes, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        return []
    for path in (*readable, *_libraries()):
        _allow(libc, rules, path, READ_FILE | READ_FOLDER)
    _allow(libc, rules, scratch, every & ~1)
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    done = libc.syscall(RESTRICT, rules, 0) == 0
    os.close(rules)
    return ["files", *(["tcp"] if version >= 4 else [])] if done else []


def _libraries() -> list[Path]:
    """Where Python, its packages and ours are read from."""
    search = (*sys.path, *os.environ.get("LD_LIBRARY_PATH", "").split(":"))
    found = [Path(p) for p in search if p and Path(p) != ROOT]
    system = [Path(p) for p in (sys.prefix, sys.base_prefix, *LIBRARIES, *DEVICES)]
    return [*(ROOT / name for name in PACKAGES), *found, *system]


def _allow(libc: ctypes.CDLL, rules: int, path: Path, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not on this system
        return
    try:
        access &= -1 if path.is_dir() else ~READ_FOLDER
        libc.syscall(ADD_RULE, rules, 1, struct.pack("=Qi", access, handle), 0)
    finally:
        os.close(handle)

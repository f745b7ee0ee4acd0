"""What tells this machine from another as far as measured latency goes."""

from __future__ import annotations

import hashlib
import os
import platform
from functools import cache
from pathlib import Path


@cache
def machine_key() -> str:
    """CPU model, cores and a hash of its instruction sets: tables of different machines never mix.

    Example: `AMD EPYC, 2 cores, 3f0c91d2`.
    """
    facts = _cpu_facts()
    model = facts.get("model name") or facts.get("Hardware") or platform.processor() or platform.machine()
    flags = " ".join(sorted((facts.get("flags") or facts.get("Features") or platform.machine()).split()))
    return f"{model.strip()}, {os.cpu_count() or 1} cores, {hashlib.sha256(flags.encode()).hexdigest()[:8]}"


CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
UNITS = {"K": 1024, "M": 1024**2}


def near_bytes() -> int:
    """What the caches nearest to a core hold: the second level's bytes; 0 where the system doesn't tell."""
    for folder in sorted(CACHES.glob("index*")):
        try:
            level, size = ((folder / name).read_text().strip() for name in ("level", "size"))
        except OSError:
            continue
        if level == "2" and size[:-1].isdecimal() and size[-1] in UNITS:
            return int(size[:-1]) * UNITS[size[-1]]
    return 0


def _cpu_facts() -> dict[str, str]:
    """The first processor's entries in /proc/cpuinfo; empty where there is none."""
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.splitlines() if ":" in line)
    facts: dict[str, str] = {}
    for name, _, value in lines:
        facts.setdefault(name.strip(), value.strip())
    return facts

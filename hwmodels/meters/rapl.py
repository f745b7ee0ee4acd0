"""RAPL: what the processor's packages draw, from the kernel's powercap files. x86 alone; DRAM is not part of it.

`energy_uj` counts microjoules about a thousand times a second and begins anew at `max_energy_range_uj`, after minutes
to hours. Reference: Documentation/power/powercap/powercap.rst of Linux; Khan et al., "RAPL in action", 2018
(DOI 10.1145/3177754): readings go with what the plug draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hwmodels.meters.meter import NoMeter

POWERCAP = Path("/sys/class/powercap")


@dataclass
class _Package:
    name: str
    counter: Path
    range_uj: int
    last_uj: int
    used_uj: int = 0

    def read_uj(self) -> int:
        """Microjoules since it was opened. It must be read once per round of the counter."""
        now = _number(self.counter)
        step = now - self.last_uj
        self.used_uj += step if step >= 0 else step + self.range_uj
        self.last_uj = now
        return self.used_uj


class Rapl:
    """All packages of the machine together: other programs, idle cores and idle packages count as well."""

    name = "rapl"
    burst_s = 0.5

    def __init__(self, root: Path = POWERCAP) -> None:
        """Opens the packages under `root`. Raises NoMeter, saying what is missing."""
        self._packages = [_open(zone) for zone in _zones(root)]
        if not self._packages:
            raise NoMeter(f"the processor's energy counter (RAPL) is not offered here: no package under {root}")

    def read_j(self) -> float:
        """Joules of all packages since this was opened."""
        return sum(package.read_uj() for package in self._packages) * 1e-6

    def describe(self) -> str:
        """The packages by name."""
        names = ", ".join(package.name for package in self._packages)
        return f"RAPL ({names}): the whole processor, idle power included, memory not"


def _zones(root: Path) -> list[Path]:
    """Folders of whole packages; their parts (`core`, `uncore`) and the platform (`psys`) would count twice."""
    zones = sorted(root.glob("*rapl*:*")) if root.is_dir() else []
    return [zone for zone in zones if (zone / "name").is_file() and _text(zone / "name").startswith("package")]


def _open(zone: Path) -> _Package:
    counter = zone / "energy_uj"
    return _Package(_text(zone / "name"), counter, _number(zone / "max_energy_range_uj"), _number(counter))


def _number(path: Path) -> int:
    text = _text(path)
    if not text.isdecimal():
        raise NoMeter(f"{path} holds {text[:40]!r}, which is no energy in microjoules")
    return int(text)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except PermissionError:
        raise NoMeter(f"{path} may not be read by this user: sudo chmod a+r {path}") from None
    except OSError as error:
        raise NoMeter(f"{path} can't be read: {error.strerror}") from None

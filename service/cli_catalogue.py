"""`fitwright devices`, `methods` and `strategies`: what there is to choose from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from service.cli_errors import CliError
from service.cli_show import AsJson, print_json, table

if TYPE_CHECKING:
    from hwmodels.device import Device


def devices(as_json: AsJson = False) -> None:
    """List the devices, and where the figures of each come from.

    Example:

        fitwright devices
    """
    from hwmodels.catalogue import DEVICES

    if as_json:
        names = ("id", "title", "kind", "cost_model", "batch", "threads", "sources")
        print_json([{n: getattr(d, n) for n in names} | {"precisions": list(d.precisions)} for d in DEVICES.values()])
        return
    rows = [(d.id, d.kind, ", ".join(d.precisions), d.title) for d in DEVICES.values()]
    table("", ("device", "figures are", "precisions", ""), rows)


def methods(as_json: AsJson = False) -> None:
    """List the ways to make a model smaller, in the order in which a recipe applies them.

    Example:

        fitwright methods
    """
    from methods.catalogue import METHODS

    _listed([(name, about(entry)) for name, entry in METHODS.items()], as_json)


def strategies(as_json: AsJson = False) -> None:
    """List the ways to decide what to try next.

    Example:

        fitwright strategies
    """
    from search.catalogue import STRATEGIES

    _listed([(name, about(entry)) for name, entry in STRATEGIES.items()], as_json)


def about(entry: object) -> str:
    """The first paragraph of the file that a catalogue entry is written in."""
    kind = entry if isinstance(entry, type) or callable(entry) else type(entry)
    text = (getattr(sys.modules.get(str(getattr(kind, "__module__", ""))), "__doc__", None) or "").strip()
    return " ".join(text.split("\n\n")[0].split())


def known_device(name: str) -> Device:
    """A device by the name given with --device; refused in one line."""
    from hwmodels.catalogue import UnknownDevice, device

    try:
        return device(name)
    except UnknownDevice as error:
        raise CliError(f"--device {error}") from error


def _listed(rows: list[tuple[str, str]], as_json: bool) -> None:
    if as_json:
        print_json([{"name": name, "about": text} for name, text in rows])
    else:
        table("", ("name", "what it does"), rows)

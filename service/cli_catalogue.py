"""`fitwright devices`, `methods`, `strategies` and `inspect`: what there is to choose from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli_errors import CliError
from service.cli_show import AsJson, facts, print_json, say, table

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


def inspect(
    model: Annotated[Path, typer.Argument(help="A .fwm or .pt2 file.")],
    device: Annotated[
        str | None, typer.Option(help="Cost its operators on this device; see fitwright devices.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a model offers to a search: channels that go together, what is frozen and why, costs per operator.

    Examples:

        fitwright inspect m.fwm

        fitwright inspect m.fwm --device cortex-m7-analytical
    """
    if not model.is_file():
        raise CliError(f"{model}: there is no such file")
    target = known_device(device) if device else None
    from methods.graph.load import load_graph
    from search.inspect import describe

    found = describe(load_graph(model), target)
    if as_json:
        print_json(found)
        return
    show_inspection(found)


def show_inspection(found: dict[str, Any]) -> None:
    """Prints what `search.inspect.describe` found, for people."""
    from search.amounts import amount

    inputs = ", ".join(f"{i['name']} {'x'.join(map(str, i['shape']))} {i['dtype']}" for i in found["inputs"])
    share = found["coverage"]
    facts(
        [
            ("inputs", inputs),
            ("parameters", f"{found['parameters']:,}"),
            ("file", amount("file_bytes", found["file_bytes"])),
            ("MACs", amount("macs", found["macs"])),
            ("channels can change in", f"{100 * share['channels_share_of_macs']:.0f} % of the MACs"),
            ("weights can take another form in", f"{100 * share['weights_share_of_macs']:.0f} % of the MACs"),
        ]
    )
    say("")
    groups = [(g["site"], g["units"], ", ".join(g["layers"]), f"{g['relative_error']:.1e}") for g in found["groups"]]
    table("Channels that go together", ("site", "channels", "through", "checked to"), groups, right=(1, 3))
    if found["frozen"]:
        say("")
        table("Frozen", ("site", "channels", "why"), [(f["site"], f["units"], f["reason"]) for f in found["frozen"]])
    say("")
    timed = {o["name"]: o for o in (found.get("device") or {}).get("operators", [])}
    table(
        "Operators",
        ("name", "kind", "site", "MACs", "weights", *(("latency", "source") if timed else ())),
        [
            (
                o["name"],
                o["kind"],
                o["site"],
                amount("macs", o["macs"]),
                amount("file_bytes", o["weight_bytes"]),
                *_timing(timed, o["name"]),
            )
            for o in found["operators"]
        ],
        right=(3, 4, 5),
    )


def about(entry: object) -> str:
    """The first paragraph of the file that a catalogue entry is written in."""
    kind = entry if isinstance(entry, type) or callable(entry) else type(entry)
    text = (getattr(sys.modules.get(str(getattr(kind, "__module__", ""))), "__doc__", None) or "").strip()
    return " ".join(text.split("\n\n")[0].split())


def _timing(timed: dict[str, Any], name: str) -> tuple[str, ...]:
    from search.amounts import amount

    if not timed:
        return ()
    entry = timed.get(name)
    return (amount("latency_s", entry["latency_s"]), entry["source"]) if entry else ("–", "")


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

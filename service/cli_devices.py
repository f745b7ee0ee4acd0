"""`fitwright devices`: the catalogue and own devices, what their tables hold, and how to add one."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli_errors import CliError
from service.cli_here import here, reading
from service.cli_show import AsJson, hint, print_json, say, table

if TYPE_CHECKING:
    from service.client import Client
    from service.local_devices import LocalDevices

Id = Annotated[str, typer.Argument(help="A device; settings may stand in it: local-onnxruntime@batch=8,threads=2.")]
Server = Annotated[
    str, typer.Option("--server", help="Ask a running service (http://127.0.0.1:8077) instead of this folder.")
]

devices = typer.Typer(invoke_without_command=True)


@devices.callback()
def listed(context: typer.Context, server: Server = "", as_json: AsJson = False) -> None:
    """List the devices, and where the figures of each come from; the commands below look into them and add others.

    Examples:

        fitwright devices

        fitwright devices show local-onnxruntime --model m.fwm

        fitwright devices add my-board.toml
    """
    if context.invoked_subcommand is not None:
        return
    with _source(server, writes=False) as source:
        found = source.devices()
    if as_json:
        print_json(found)
        return
    from service.device_words import provenance, table_in_short

    rows = [
        (d["id"], d["kind"], ", ".join(d["precisions"]), table_in_short(d), provenance(d), d["title"]) for d in found
    ]
    table("", ("device", "figures are", "precisions", "table", "from", ""), rows)


@devices.command()
def show(
    device: Id,
    model: Annotated[
        str, typer.Option("--model", help="Name the operators of this model file that the table lacks.")
    ] = "",
    server: Server = "",
    as_json: AsJson = False,
) -> None:
    """Show a device: its datasheet, and of each table what it holds, how right it is, how noisy and how old.

    Errors are those of whole networks that the calibration hasn't seen. With --model, operators that the table lacks
    are named: a search measures them first, or on a device with an imported table refuses them.

    Examples:

        fitwright devices show eyeriss-analytical

        fitwright devices show local-onnxruntime --model m.fwm --json
    """
    with _source(server, writes=False) as source:
        found = source.device(device)
        if model:
            found["coverage"] = _coverage(source, device, model)
    if as_json:
        print_json(found)
        return
    from service.cli_device import show_device

    show_device(found)


@devices.command()
def add(
    file: Annotated[Path, typer.Argument(help="A datasheet, .toml or .json; see docs/how-to/add-a-device.md.")],
    server: Server = "",
    as_json: AsJson = False,
) -> None:
    """Add a device of your own: an analytical datasheet, a board that runs the agent, or a table without a runtime.

    For a board, the key that its agents show is printed once.

    Example:

        fitwright devices add my-board.toml
    """
    document = read_document(file)
    with _source(server, writes=True) as source:
        made = source.add_device(document)
    if as_json:
        print_json(made)
        return
    say(f"Added {made['id']}")
    if made["agent_key"]:
        say(f"Key of its agents, which is shown this once: {made['agent_key']}")
        say(f"On the board: fitwright agent --server {server or 'URL'} --key KEY --device {made['id']}")


@devices.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A table, CSV or JSON, as fitwright devices table writes it.")],
    device: Annotated[str, typer.Option("--device", help="Whose table it is.")],
    server: Server = "",
    as_json: AsJson = False,
) -> None:
    """Import a table that was measured elsewhere, as a whole or not at all; each fault is named by its line.

    Example:

        fitwright devices import measured.csv --device my-board
    """
    if not file.is_file():
        raise CliError(f"{file}: there is no such file")
    with _source(server, writes=True) as source:
        made = source.import_table(device, file)
    if as_json:
        print_json(made)
    else:
        say(f"Imported {made['rows']} rows: {made['key']}")


@devices.command()
def remove(
    device: Annotated[str, typer.Argument(help="An own device.")], server: Server = "", as_json: AsJson = False
) -> None:
    """Remove a device of your own with its tables; refused while a search uses it.

    Example:

        fitwright devices remove my-board
    """
    with _source(server, writes=True) as source:
        source.remove_device(device)
    if as_json:
        print_json({"removed": device})
    else:
        say(f"Removed {device}")


@devices.command("table")
def table_(
    device: Id,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV, which fitwright devices import reads.")] = False,
    key: Annotated[str, typer.Option("--table", help="A table's key; the newest by default.")] = "",
    server: Server = "",
    as_json: AsJson = False,
) -> None:
    """Print a table: every operator with its times, as text, as JSON or as CSV.

    Examples:

        fitwright devices table local-onnxruntime --csv > table.csv

        fitwright devices table local-onnxruntime --json
    """
    with _source(server, writes=False) as source:
        if csv:
            typer.echo(source.table_csv(device, key or None), nl=False)
            return
        found = source.table(device, key or None)
    if as_json:
        print_json(found)
        return
    from service.cli_device import show_rows

    show_rows(found)


def read_document(file: Path) -> dict[str, Any]:
    """A datasheet from a file. Raises CliError, saying where it can't be read."""
    if not file.is_file():
        raise CliError(f"{file}: there is no such file")
    try:
        text = file.read_text(encoding="utf-8")
        document = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CliError(f"{file}: it is no {'TOML' if file.suffix == '.toml' else 'JSON'} ({error})") from error
    if not isinstance(document, dict):
        raise CliError(f"{file}: a datasheet is a table of names and values")
    return document


def _coverage(source: Client | LocalDevices, device: str, model: str) -> dict[str, Any]:
    if not Path(model).is_file():
        raise CliError(f"{model}: there is no such file")
    hint("Looking into the model")
    upload = getattr(source, "upload_model", None)
    return source.coverage(device, upload(model) if upload else model)


@contextmanager
def _source(server: str, writes: bool) -> Iterator[Client | LocalDevices]:
    """The service at an address, or the workspace of this folder."""
    if server:
        from service.client import Client

        with Client(server) as client:
            yield client
        return
    with here() if writes else reading() as workspace:
        from service.local_devices import LocalDevices

        yield LocalDevices(workspace)

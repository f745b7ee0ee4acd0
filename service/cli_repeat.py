"""`fitwright batch` and `fitwright schedule`: many searches at a running service, once or by the clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli_errors import CliError
from service.cli_show import AsJson, hint, print_json, say, table

if TYPE_CHECKING:
    from service.client import Client

Server = Annotated[
    str, typer.Option("--server", envvar="FITWRIGHT_SERVER", help="Address of the service (see fitwright serve).")
]
ADDRESS = "http://127.0.0.1:8077"
MODELS = typer.Option("--model", help="A .fwm, .pt2 or .onnx file, or the id of an uploaded model. Repeatable.")
DATA = typer.Option("--data", help="mnist, digits, an .npz, or the id of an uploaded data set. Repeatable.")
BUDGETS = typer.Option("--budget", help="Limits with commas between: latency=0.5x,size=200kB. Repeatable.")
DEVICES = typer.Option("--device", help="See fitwright devices. Repeatable.")

schedule = typer.Typer(no_args_is_help=True, help="Repeat a batch by the clock: one run per due time.")


def batch(
    models: Annotated[list[str], MODELS],
    data: Annotated[list[str], DATA],
    budgets: Annotated[list[str], BUDGETS],
    devices: Annotated[list[str] | None, DEVICES] = None,
    evaluations: Annotated[int, typer.Option(min=1)] = 40,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    strategy: Annotated[str, typer.Option()] = "plan",
    name: Annotated[str, typer.Option()] = "",
    wait: Annotated[bool, typer.Option(help="Wait for all of them, and show their results.")] = True,
    server: Server = ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Search every model on every device within every budget; what is learnt of a model is shared.

    Example:

        fitwright batch --model a.fwm --model b.fwm --data digits --budget latency=0.5x --budget latency=0.7x,size=200kB
    """
    effort = {"evaluations": evaluations, "seed": seed, "strategy": strategy, "name": name}
    with _client(server) as client:
        batch_id = client.batch(_request(client, models, data, devices, budgets, effort))
        hint(f"Batch {batch_id}: {server}/batches/{batch_id}")
        found = _wait(client, batch_id) if wait else client.get_batch(batch_id)
    if as_json:
        print_json(found)
    else:
        show_results(found["results"])


@schedule.command()
def add(
    cron: Annotated[str, typer.Option(help="Minute, hour, day, month, weekday: '0 2 * * *'.")],
    models: Annotated[list[str], MODELS],
    data: Annotated[list[str], DATA],
    budgets: Annotated[list[str], BUDGETS],
    devices: Annotated[list[str] | None, DEVICES] = None,
    timezone: Annotated[str, typer.Option(help="An IANA time zone, such as Europe/Paris.")] = "UTC",
    evaluations: Annotated[int, typer.Option(min=1)] = 40,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    strategy: Annotated[str, typer.Option()] = "plan",
    name: Annotated[str, typer.Option()] = "",
    server: Server = ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Add a schedule. The service has to run at its due times; of several missed ones, only the latest is made up for.

    Example:

        fitwright schedule add --cron '0 2 * * *' --timezone Europe/Paris --model m.fwm --data mnist --budget size=0.1x
    """
    effort = {"evaluations": evaluations, "seed": seed, "strategy": strategy, "name": name}
    with _client(server) as client:
        made = client.schedule(cron, _request(client, models, data, devices, budgets, effort), timezone, name)
        found = next(entry for entry in client.schedules() if entry["id"] == made)
    if as_json:
        print_json(found)
    else:
        say(f"Schedule {made}, next due {found['next_run_at']}")


@schedule.command("list")
def list_schedules(server: Server = ADDRESS, as_json: AsJson = False) -> None:
    """List schedules with their latest runs."""
    with _client(server) as client:
        found = [entry | {"runs": client.runs(entry["id"])} for entry in client.schedules()]
    if as_json:
        print_json(found)
        return
    rows = [(s["id"], s["name"], s["cron"], s["timezone"], s["next_run_at"] or "–", len(s["runs"])) for s in found]
    table("", ("id", "name", "cron", "time zone", "next due", "runs"), rows, right=(5,))
    for entry in found:
        if entry["runs"] and entry["runs"][0]["results"]:
            say(f"\n{entry['name'] or entry['id']}, {entry['runs'][0]['due_at']}")
            show_results(entry["runs"][0]["results"])


@schedule.command()
def remove(
    schedule_id: Annotated[str, typer.Argument(help="See fitwright schedule list.")], server: Server = ADDRESS
) -> None:
    """Remove a schedule; what it has started stays."""
    with _client(server) as client:
        client.remove_schedule(schedule_id)
    say(f"Removed {schedule_id}")


def show_results(results: list[dict[str, Any]]) -> None:
    """One row per search, with the result of the run before."""
    from service.dashboard.cards import stood

    rows = [
        (
            entry["search"]["id"],
            entry["device"],
            ", ".join(f"{metric} ≤ {text}" for metric, text in entry["limits"].items()),
            stood(entry["search"]),
            stood(entry["previous"]) if entry["previous"] else "–",
        )
        for entry in results
    ]
    table("", ("search", "device", "limits", "result", "the run before"), rows)


def read_budget(text: str) -> dict[str, str]:
    """`latency=0.5x,size=200kB` as limits by metric."""
    from search.limits import BadLimit, parse_limits

    try:
        return {limit.metric: limit.text for limit in parse_limits(part for part in text.split(","))}
    except BadLimit as error:
        raise CliError(f"--budget {error}") from error


def _request(
    client: Client,
    models: list[str],
    data: list[str],
    devices: list[str] | None,
    budgets: list[str],
    effort: dict[str, Any],
) -> dict[str, Any]:
    limits = [read_budget(text) for text in budgets]
    return {
        "models": [client.upload_model(m) if Path(m).exists() else m for m in models],
        "datasets": [client.upload_dataset(d) if Path(d).is_file() else d for d in data],
        "devices": devices or ["local-onnxruntime"],
        "budgets": limits,
    } | effort


def _wait(client: Client, batch_id: str) -> dict[str, Any]:
    from service.cli_progress import SearchProgress

    entries = client.get_batch(batch_id)["results"]
    for number, entry in enumerate(entries, 1):
        hint(f"{number} of {len(entries)}: {entry['search']['id']} {json.dumps(entry['limits'])}")
        with SearchProgress() as progress:
            client.wait(entry["search"]["id"], progress.on_event)
    return client.get_batch(batch_id)


def _client(server: str) -> Client:
    from service.client import Client

    return Client(server)

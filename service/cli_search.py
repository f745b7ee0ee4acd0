"""`fitwright search`: one search in this process, over the same tables that the service uses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli_catalogue import known_device
from service.cli_errors import CliError
from service.cli_show import AsJson, hint, print_json, say

if TYPE_CHECKING:
    from service.workspace import Workspace


def search(
    model: Annotated[
        Path, typer.Argument(help="A .fwm file (see fitwright capture), a .pt2 of torch.export or .onnx.")
    ],
    data: Annotated[str, typer.Option("--data", help="mnist, digits, an .npz, or a folder of images per class.")],
    limits: Annotated[
        list[str],
        typer.Option(
            "--limit", help="METRIC=VALUE; metrics: latency, energy, size, memory, macs. 5ms, 200kB, 0.5x. Repeatable."
        ),
    ],
    device: Annotated[str, typer.Option(help="See fitwright devices.")] = "local-onnxruntime",
    objective: Annotated[str, typer.Option(help="What is maximised within the limits.")] = "accuracy",
    evaluations: Annotated[int, typer.Option(min=1, help="How many recipes are really tried.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same recipe.")] = 0,
    strategy: Annotated[str, typer.Option(help="See fitwright strategies.")] = "plan",
    methods: Annotated[str, typer.Option(help="Which methods, comma between; all by default.")] = "",
    schedule: Annotated[str, typer.Option(help="How finalists get to their forms; see fitwright recoveries.")] = "",
    recovery: Annotated[str, typer.Option(help="How accuracy is won back; see fitwright recoveries.")] = "",
    recovery_epochs: Annotated[int | None, typer.Option(min=0, help="Training of each finalist.")] = None,
    name: Annotated[str, typer.Option(help="What the search is called.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for the bundle; it must not exist yet.")] = None,
    as_json: AsJson = False,
) -> int:
    """Compress a model into a budget on a device.

    Interrupted (Ctrl-C, a crash, kill -9), the same command goes on where it was.

    Exit code: 0 when the limits are kept, 3 when they can't be, with the least that can be reached.

    Examples:

        fitwright search m.fwm --data digits --limit latency=0.5x

        fitwright search m.fwm --data my_data.npz --device cortex-m7-analytical --limit memory=64KiB --limit size=200kB

        fitwright search m.fwm --data mnist --limit size=0.03x --evaluations 80 --out fitted --json
    """
    request = {
        "limits": checked_limits(limits),
        "device": known_device(device).id,
        "objective": objective,
        "evaluations": evaluations,
        "seed": seed,
        "strategy": strategy,
        "methods": [m.strip() for m in methods.split(",") if m.strip()] or None,
        "training": training(schedule, recovery),
        "recovery_epochs": recovery_epochs,
        "name": name,
    }
    return searched(model, data, request, out, as_json)


def training(schedule: str, recovery: str) -> dict[str, Any] | None:
    """What a request says of how finalists are trained; nothing where nothing was asked for."""
    return {"schedule": schedule or None, "recovery": recovery or None} if schedule or recovery else None


def searched(model: Path, data: str, request: dict[str, Any], out: Path | None, as_json: bool) -> int:
    """Carries a request out in this process; the exit code. Refuses what can't be before anything is stored."""
    if not model.is_file():
        raise CliError(f"{model}: there is no such file; make one with fitwright capture")
    if out is not None:
        _check_out(out)
    from service.settings import load_settings
    from service.workspace import Workspace

    workspace = Workspace(load_settings())
    try:
        return _run(workspace, _submit(workspace, model, data, request), out, as_json)
    finally:
        workspace.close()


def _submit(workspace: Workspace, model: Path, data: str, request: dict[str, Any]) -> str:
    """The search that this request asks for: the unfinished one of before, or a new one."""
    from service.datasets import add_dataset
    from service.models import add_model
    from service.searches import create_search, find_unfinished, read_request

    files = {
        "model": add_model(workspace, model, confined=False),
        "dataset": add_dataset(workspace, data, confined=False),
    }
    wanted = read_request(files | request)
    with workspace.database.write() as session:
        earlier = find_unfinished(session, wanted)
        search_id = earlier or create_search(session, wanted)
    hint(f"{'Going on with' if earlier else 'Search'} {search_id} in {workspace.settings.home}")
    return search_id


def _run(workspace: Workspace, search_id: str, out: Path | None, as_json: bool) -> int:
    from service.cli_bundle import copy_bundle
    from service.cli_outcome import exit_code, show_outcome
    from service.cli_progress import SearchProgress
    from service.searches import run_until_finished

    try:
        with SearchProgress() as progress:
            row = run_until_finished(workspace, search_id, progress.on_event)
    except KeyboardInterrupt:
        hint(f"Search {search_id} is kept; the same command goes on where it was.")
        raise
    document = {"id": row.id, "state": row.state, "state_reason": row.state_reason, "outcome": row.outcome}
    code = exit_code(document)
    result = dict(row.result or {})
    if code == 0 and out is not None:
        result["bundle"] = str(copy_bundle(workspace, search_id, out))
    if as_json:
        print_json(document | {"request": row.request, "result": result})
        return code
    show_outcome(result)
    if code == 0 and result.get("bundle"):
        say("")
        say(f"Bundle: {result['bundle']}")
        say(f"Next: fitwright check {result['bundle']}")
    return code


def checked_limits(texts: list[str]) -> dict[str, str]:
    """Limits by metric, each checked before anything heavy is loaded."""
    from search.limits import BadLimit, parse_limits

    try:
        return {limit.metric: limit.text for limit in parse_limits(texts)}
    except BadLimit as error:
        raise CliError(f"--limit {error}") from error


def _check_out(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CliError(f"--out {out}: it is there already and isn't empty; give a folder that doesn't exist yet")
    if not out.absolute().parent.is_dir():
        raise CliError(f"--out {out}: there is no folder {out.absolute().parent}")

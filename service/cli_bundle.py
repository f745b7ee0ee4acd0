"""`fitwright check` and `fitwright replay`: hold a bundle against what it claims."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwmodels.base import METRICS
from search.amounts import amount, percent
from service.cli_errors import FAILED, CliError
from service.cli_show import AsJson, print_json, say, table

if TYPE_CHECKING:
    from service.workspace import Workspace

ZIP_NAME = "bundle.zip"


def check(
    folder: Annotated[Path, typer.Argument(help="A bundle: the folder that a search wrote, or a download unzipped.")],
    as_json: AsJson = False,
) -> int:
    """Reload a bundle in a clean process and recompute its quality, latency and bytes.

    Exit code: 0 when everything agrees with what the bundle says, 1 when something doesn't.

    Example:

        fitwright check fitted
    """
    _need(folder, "result.json")
    found = _in_clean_process("check", [str(folder.absolute())])
    if as_json:
        print_json(found)
    else:
        rows = [_check_row(row) for row in found["checks"]]
        table("", ("", "in the bundle", "found now", "", "note"), rows, right=(1, 2))
        say("")
        say(f"{folder} holds what it says." if found["ok"] else f"{folder} does not hold what it says.")
    return 0 if found["ok"] else FAILED


def replay(
    folder: Annotated[Path, typer.Argument(help="A bundle.")],
    model: Annotated[Path | None, typer.Option(help="The untouched model, if not the bundle's own.")] = None,
    data: Annotated[str | None, typer.Option(help="The data, if not what the receipt names.")] = None,
    as_json: AsJson = False,
) -> int:
    """Build a bundle's model again from its recipe and receipt, and compare the weights.

    Exit code: 0 when they are identical, 1 when they aren't.

    Examples:

        fitwright replay fitted

        fitwright replay fitted --data my_data.npz
    """
    _need(folder, "receipt.json")
    if model is not None and not model.is_file():
        raise CliError(f"--model {model}: there is no such file")
    source = str(Path(data).absolute()) if data and Path(data).exists() else data or ""
    found = _in_clean_process("replay", [str(folder.absolute()), str(model.absolute()) if model else "", source])
    if as_json:
        print_json(found)
    elif found["identical"]:
        say(f"Built again, byte for byte: {found['found']}")
    else:
        say(f"The model built again differs: it is {found['found']}, the bundle's is {found['expected']}")
    return 0 if found["identical"] else FAILED


def copy_bundle(workspace: Workspace, search_id: str, out: Path) -> Path:
    """Copies a search's bundle to `out`, whole or not at all. Raises OSError (disk full) and leaves nothing behind."""
    from db import artefacts

    with workspace.database.read() as session:
        files = {row.name: row.sha256 for row in artefacts.of_search(session, search_id) if row.name != ZIP_NAME}
    out = out.absolute()
    temporary = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
    try:
        for name, sha256 in files.items():
            target = temporary / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(workspace.blobs.path(sha256), target)
        temporary.chmod(0o755)
        os.replace(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out


def _need(folder: Path, name: str) -> None:
    if not folder.is_dir():
        raise CliError(f"{folder}: there is no such folder")
    if not (folder / name).is_file():
        raise CliError(f"{folder} is no bundle: it has no {name}")


def _in_clean_process(verb: str, arguments: list[str]) -> dict[str, Any]:
    """Runs `service.recheck` in a process of its own that has nothing of this one in memory."""
    command = [sys.executable, "-m", "service.recheck", verb, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    answer: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    if done.returncode or "error" in answer:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise CliError(answer.get("error") or f"the {verb} could not be carried out: {last}", FAILED)
    return answer


def _check_row(row: dict[str, Any]) -> tuple[str, str, str, str, str]:
    shown = [_shown(row["name"], row[side]) for side in ("recorded", "found")]
    return row["name"], shown[0], shown[1], "✓" if row["ok"] else "✗ differs", row.get("note", "")


def _shown(name: str, found: object) -> str:
    """A claim's value in the unit of what it is about."""
    if not isinstance(found, float | int):
        return str(found)
    if name.startswith("quality"):
        return percent(found)
    metric = METRICS.get(name.removeprefix("limit "), "")
    return amount(metric, found) if metric else f"{found:,.6g}"

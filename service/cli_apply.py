"""`fitwright apply`: one recipe carried out on a model, in this process: trained, exported, packed and measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli_catalogue import known_device
from service.cli_errors import CliError
from service.cli_search import checked_limits, searched
from service.cli_show import AsJson

MOST_BYTES = 4 << 20
"""Length of a recipe file."""


def apply(
    model: Annotated[Path, typer.Argument(help="A .fwm file (see fitwright capture), a .pt2 or .onnx.")],
    recipe: Annotated[str, typer.Argument(help="A recipe file, or the name of a published system.")],
    data: Annotated[str, typer.Option("--data", help="mnist, digits, an .npz, or a folder of images per class.")],
    device: Annotated[str, typer.Option(help="See fitwright devices.")] = "local-onnxruntime",
    limits: Annotated[
        list[str] | None, typer.Option("--limit", help="METRIC=VALUE that it must keep. Repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    recovery_epochs: Annotated[
        int | None, typer.Option(min=0, help="Passes over the data to win accuracy back.")
    ] = None,
    name: Annotated[str, typer.Option(help="What the run is called.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for the bundle; it must not exist yet.")] = None,
    as_json: AsJson = False,
) -> int:
    """Compress a model by a recipe of your own, without a search: the same training, export, checks and report.

    A recipe is JSON: steps with a method, its choices (site or pattern of sites to value) and settings; and training.
    `fitwright inspect MODEL --device D` shows sites and values, `fitwright methods` the methods and published systems.

        {"steps": [{"method": "sparsity", "choices": {"weight:fc*": 0.1}},
                   {"method": "weight-sharing", "choices": {"weight:*": 5}}],
         "training": {"schedule": "gradual", "recovery": "distillation"}}

    Exit code: 0 when it worked and the limits are kept, 3 when they aren't.

    Examples:

        fitwright apply m.fwm recipe.json --data digits --out smaller

        fitwright apply m.fwm deep-compression --data mnist --recovery-epochs 20 --out smaller
    """
    request = {
        "recipe": read_recipe(recipe),
        "limits": checked_limits(limits or ["size=1x"]),
        "device": known_device(device).id,
        "evaluations": 1,
        "seed": seed,
        "recovery_epochs": recovery_epochs,
        "name": name or Path(recipe).stem,
    }
    return searched(model, data, request, out, as_json)


def read_recipe(text: str) -> dict[str, Any]:
    """The recipe in a file, or the one step of a published system. Raises CliError."""
    path = Path(text)
    if not path.is_file():
        if path.suffix == ".json" or len(path.parts) > 1:
            raise CliError(f"{text}: there is no such file")
        return {"steps": [{"method": text}]}
    if path.stat().st_size > MOST_BYTES:
        raise CliError(f"{text}: it is larger than {MOST_BYTES >> 20} MiB, which no recipe is")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CliError(f"{text}: it is not JSON ({str(error)[:200]})") from error
    if not isinstance(found, dict):
        raise CliError(f'{text}: a recipe is an object with "steps", not {type(found).__name__}')
    return found

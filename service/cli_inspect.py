"""`fitwright inspect`: what a model offers to a search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli_catalogue import cost_model, known_device
from service.cli_errors import CliError
from service.cli_importances import rate_importances
from service.cli_show import AsJson, facts, hint, print_json, say, table

if TYPE_CHECKING:
    from search.inspect_words import GroupLine

Document = dict[str, Any]

ROWS = 25
"""Rows of a table that are printed without --all."""


def inspect(
    model: Annotated[Path, typer.Argument(help="A .fwm, .pt2 or .onnx file.")],
    device: Annotated[
        str | None, typer.Option(help="Cost its operators on this device; see fitwright devices.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Print every row of long tables.")] = False,
    importance: Annotated[
        bool, typer.Option("--importance", help="Compare importances by really removing units; needs --data.")
    ] = False,
    data: Annotated[str, typer.Option("--data", help="mnist, digits, an .npz, or a folder of images per class.")] = "",
    removals: Annotated[int, typer.Option(min=3, help="How many units --importance removes, each alone.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Show what a model offers to a search: how much of it can be pruned, what goes together, what stays and why.

    Channels, attention heads, groups of channels and hidden units that go together are one *group*: each of its units
    can be removed from all the layers that make and read it. `checked to` is how far removing them differs, at most,
    from masking them anywhere in the network: 1e-6 is rounding, and what differs by more is frozen. A *block* can be
    left out whole. Names with braces stand for several: `encoder.{0..11}.linear1`.

    With --importance, some units drawn by lot are removed, and each importance is rated by how well its scores foretell
    what that does to the loss: 1 is the true order, 0 is no better than a lot.

    Examples:

        fitwright inspect m.fwm

        fitwright inspect m.onnx --json

        fitwright inspect m.fwm --device cortex-m7-analytical

        fitwright inspect m.fwm --device local-onnxruntime@batch=8,threads=2

        fitwright inspect m.fwm --importance --data digits
    """
    if not model.is_file():
        raise CliError(f"{model}: there is no such file")
    if importance != bool(data):
        raise CliError("--importance and --data go together: removals are rated by the loss on data")
    target = known_device(device) if device else None
    from methods.graph.load import load_graph

    graph = load_graph(model)
    if importance:
        rate_importances(graph, data, removals, as_json)
        return
    from search.inspect import describe

    found = describe(graph, target, cost_model(target) if target else None)
    if as_json:
        print_json(found)
        return
    show_inspection(found, None if every else ROWS)


def show_inspection(found: Document, rows: int | None = ROWS) -> None:
    """Prints what `search.inspect.describe` found, for people; at most `rows` rows of each table."""
    from search import inspect_words as words

    _show_coverage(found)
    lines = words.group_lines(found)
    for kind, reach in found["coverage"]["kinds"].items():
        mine = [line for line in lines if line.kind == kind]
        counts = (words.counted(reach["units"], "unit"), words.counted(reach["groups"], "group"))
        worst = max(g["relative_error"] for g in found["groups"] if g["kind"] == kind)
        _long(
            f"{kind.capitalize()}: {' in '.join(counts)}, checked to {worst:.0e}",
            ("site", "units", "layers"),
            [(line.site, _times(line.count, line.units), _through(line)) for line in mine],
            rows,
            (1,),
        )
    _long(
        "Blocks that can be left out",
        ("site", "parameters", "MACs", "layers"),
        [(b.site, _times(b.count, b.parameters), _times(b.count, b.macs), b.layers) for b in words.block_lines(found)],
        rows,
        (1, 2),
    )
    _long(
        "What stays, and why",
        ("", "why", "where"),
        [(f"{f.count} ×", f.reason, f.sites) for f in words.frozen_lines(found)],
        rows,
        (0,),
    )
    if "device" in found:
        _show_operators(found, rows)


def _show_coverage(found: Document) -> None:
    from search import inspect_words as words
    from search.amounts import amount

    say(words.headline(found)[:1].upper() + words.headline(found)[1:])
    say("")
    facts(
        [
            ("inputs", words.inputs_text(found)),
            ("parameters", f"{found['parameters']:,}"),
            ("file", amount("file_bytes", found["file_bytes"])),
            ("MACs", amount("macs", found["macs"])),
        ]
    )
    reaches = words.reaches(found)
    _long(
        "How far each way to make it smaller reaches",
        ("", "", "parameters", "MACs"),
        [(r.name, r.counted, words.share(r.parameters), words.share(r.macs)) for r in reaches],
        None,
        (2, 3),
    )


def _through(line: GroupLine) -> str:
    """The layers that a group runs through, one line for each way in which they are a part of it."""
    parts = (("made by", line.made_by), ("read by", line.read_by), ("with", line.along))
    return "\n".join(f"{word} {layers}" for word, layers in parts if layers)


def _times(count: int, value: object) -> str:
    return f"{count} × {value}" if count > 1 else str(value)


def _long(
    title: str, columns: Sequence[str], lines: Sequence[Sequence[object]], rows: int | None, right: Sequence[int]
) -> None:
    """A table after an empty line; where it is cut short, how to see the rest. Nothing, where it has no rows."""
    from search.inspect_words import counted

    if not lines:
        return
    say("")
    table(title, columns, lines[:rows], right)
    if rows is not None and len(lines) > rows:
        hint(f"{counted(len(lines) - rows, 'more row')}; --all prints them")


def _show_operators(found: Document, rows: int | None) -> None:
    from search.amounts import amount

    timed = {o["name"]: o for o in found["device"]["operators"]}
    lines = [
        (
            o["name"],
            o["kind"],
            amount("macs", o["macs"]),
            amount("file_bytes", o["weight_bytes"]),
            amount("latency_s", timed.get(o["name"], {}).get("latency_s")),
            timed.get(o["name"], {}).get("source", ""),
        )
        for o in found["operators"]
    ]
    columns = ("name", "kind", "MACs", "weights", "latency", "source")
    _long(f"Operators on {found['device']['id']}", columns, lines, rows, (2, 3, 4))

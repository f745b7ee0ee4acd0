"""`fitwright capture`: runs the user's own Python file, on the user's machine, and writes what it found as .fwm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli_errors import CliError
from service.cli_show import AsJson, print_json, say
from service.user_code import call, find

if TYPE_CHECKING:
    from torch import Tensor, nn

    from methods.graph.ir import Graph

MOST_CLASSES = 10_000_000
DTYPES = ("float32", "float64", "int64", "int32", "uint8", "bool")


@dataclass(frozen=True)
class Input:
    """One `--input`: keyword argument (or "" for a positional one), shape, type and number of values (integers)."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    values: int


def capture(
    model: Annotated[str, typer.Argument(help="FILE.py:NAME, where NAME is a model or a function that returns one.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .fwm file to write.")],
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="[NAME=]SHAPE[:TYPE[:VALUES]]",
            help="Shape of an input, batch first: 1x3x32x32. Repeat it for several, in the order of forward, or name "
            "the argument: ids=1x128:int64:30522 (integers below 30,522).",
        ),
    ] = None,
    dtype: Annotated[str, typer.Option("--input-dtype", help="Type of inputs that name none.")] = "float32",
    example: Annotated[
        str,
        typer.Option(
            "--example",
            metavar="FILE.py:NAME",
            help="Instead of --input: a function that returns what the model is called with, a tensor, a tuple of "
            "arguments (nested as you like), or a dictionary of keyword arguments.",
        ),
    ] = "",
    fixed: Annotated[
        list[str] | None,
        typer.Option("--fixed", metavar="NAME", help="An input that is the same for every sample, and has no batch."),
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", metavar="NAME", help="An output to keep; all are, if none is named.")
    ] = None,
    classes: Annotated[
        str,
        typer.Option(
            "--classes",
            metavar="0,3,5-9",
            help="Keep only these entries of the (first) output: the classes that the device will ever see.",
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Capture a PyTorch model as a .fwm file, which needs neither your code nor pickle to load.

    Your file runs here, on your machine; the service never runs it. The example's batch size doesn't matter: the
    first axis of every input stays free, the others are fixed.

    Examples:

        fitwright capture my_model.py:make_model --input 1x3x32x32 -o m.fwm

        fitwright capture nlp.py:encoder --input ids=1x128:int64:30522 --input mask=1x128:int64:2 -o encoder.fwm

        fitwright capture gcn.py:model --example gcn.py:batch --fixed adjacency --keep logits -o gcn.fwm

    The second has integers below 30,522 for `ids`; the third calls batch() for the arguments.
    """
    if bool(inputs) == bool(example):
        raise CliError("give either --input for each input, such as --input 1x3x32x32, or --example FILE.py:NAME")
    specs = [parse_input(text, dtype) for text in inputs or []]
    wanted = parse_classes(classes)
    if not output.parent.is_dir():
        raise CliError(f"-o {output}: there is no folder {output.parent}")
    from methods.graph import file
    from methods.graph.intake.capture import capture as capture_graph

    module = load_model(model)
    given, named = load_example(example) if example else made_up(specs)
    graph = capture_graph(module, given, kwargs=named, fixed=fixed or (), outputs=keep)
    if wanted:
        from methods.graph.surgery.classes import keep_outputs

        graph = keep_outputs(graph, wanted, graph.output_names[0])
    file.write(graph, output)
    _tell(graph, output, as_json)


def _tell(graph: Graph, output: Path, as_json: bool) -> None:
    facts = {"file": str(output), "file_bytes": output.stat().st_size, "parameters": graph.parameter_count}
    if as_json:
        print_json(facts)
        return
    inputs = ", ".join(f"{s.name} {'x'.join(map(str, ('N', *s.shape)))} {s.dtype}" for s in graph.inputs)
    say(f"{output}: {facts['parameters']:,} parameters, {facts['file_bytes']:,} bytes")
    say(f"Takes {inputs}; gives {', '.join(graph.output_names)}.")
    say(f"Next: fitwright inspect {output}, or fitwright search {output} --data DATA --limit latency=0.5x")


def parse_classes(text: str) -> list[int]:
    """`0,3,5-9` as numbers in rising order; none for an empty text."""
    found: set[int] = set()
    for part in text.split(",") if text else []:
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
            raise CliError(f"--classes {text}: write numbers and ranges with commas between them, such as 0,3,5-9")
        if int(last or first) > MOST_CLASSES:
            raise CliError(f"--classes {text}: {last or first} is more than {MOST_CLASSES:,} classes")
        found.update(range(int(first), int(last or first) + 1))
    return sorted(found)


def parse_input(text: str, dtype: str) -> Input:
    """`1x3x32x32`, `1x128:int64`, `1x128:int64:30522` or any of them after `NAME=`."""
    before, equals, after = text.partition("=")
    name, spec = (before, after) if equals else ("", before)
    shape_text, _, rest = spec.partition(":")
    dtype_text, _, values_text = rest.partition(":")
    try:
        shape = tuple(int(part) for part in shape_text.lower().split("x"))
        values = int(values_text) if values_text else 2
    except ValueError:
        raise CliError(
            f"--input {text}: write sizes with x between them, such as 1x3x32x32 or ids=1x128:int64:30522"
        ) from None
    if any(size < 1 for size in shape) or values < 1:
        raise CliError(f"--input {text}: every size is at least 1")
    if equals and not name.isidentifier():
        raise CliError(f"--input {text}: {name!r} is not the name of an argument of forward")
    dtype = dtype_text or dtype
    if dtype not in DTYPES:
        raise CliError(f"--input {text}: {dtype} is not one of {', '.join(DTYPES)}")
    return Input(name, shape, dtype, values)


def made_up(specs: list[Input]) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """Positional and keyword arguments of those shapes. Raises CliError where a keyword is there twice."""
    names = [s.name for s in specs if s.name]
    twice = {n for n in names if names.count(n) > 1}
    if twice:
        raise CliError(f"--input {min(twice)}=...: that input is given twice")
    return tuple(sample(s) for s in specs if not s.name), {s.name: sample(s) for s in specs if s.name}


def sample(spec: Input) -> Tensor:
    """A seeded input of that shape: normal floats, or integers that span 0 ... values-1."""
    import torch

    generator = torch.Generator().manual_seed(0)
    kind: torch.dtype = getattr(torch, spec.dtype)
    if kind.is_floating_point:
        return torch.randn(spec.shape, generator=generator, dtype=kind)
    made = torch.randint(0, spec.values, spec.shape, generator=generator)
    made.view(-1)[0] = spec.values - 1
    return made.to(kind)


def load_example(target: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments from FILE.py:NAME: what NAME is, or returns when it is called."""
    found, path, name = find(target)
    value = call(found, path, name) if callable(found) and not isinstance(found, Mapping) else found
    if isinstance(value, Mapping):
        return (), dict(value)
    return tuple(value) if isinstance(value, tuple | list) else (value,), {}


def load_model(target: str) -> nn.Module:
    """Runs FILE.py and takes NAME from it: a module, or a function without arguments that returns one."""
    found, path, name = find(target)
    from torch import nn

    model = found if isinstance(found, nn.Module) or not callable(found) else call(found, path, name)
    if not isinstance(model, nn.Module):
        raise CliError(f"{target} gives {type(model).__name__}, but a torch.nn.Module is needed")
    return model

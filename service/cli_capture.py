"""`fitwright capture`: runs the user's own Python file, on the user's machine, and writes what it found as .fwm."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli_errors import CliError
from service.cli_show import AsJson, print_json, say

if TYPE_CHECKING:
    from torch import Tensor, nn

DTYPES = ("float32", "float64", "int64", "int32", "bool")


def capture(
    model: Annotated[str, typer.Argument(help="FILE.py:NAME, where NAME is a model or a function that returns one.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .fwm file to write.")],
    shapes: Annotated[
        list[str],
        typer.Option("--input", help="Shape of an input, batch first: 1x3x32x32. Repeat it for several inputs."),
    ],
    dtype: Annotated[str, typer.Option("--input-dtype", help="Type of inputs that name none.")] = "float32",
    as_json: AsJson = False,
) -> None:
    """Capture a PyTorch model as a .fwm file, which needs neither your code nor pickle to load.

    Your file runs here, on your machine; the service never runs it.

    Examples:

        fitwright capture my_model.py:make_model --input 1x3x32x32 -o m.fwm

        fitwright capture nlp.py:encoder --input 1x128:int64:30522 -o encoder.fwm

    The second has integers below 30,522 for input.
    """
    specs = [parse_input(text, dtype) for text in shapes]
    if not output.parent.is_dir():
        raise CliError(f"-o {output}: there is no folder {output.parent}")
    from methods.graph import file
    from methods.graph.capture import capture as capture_graph

    module = load_model(model)
    graph = capture_graph(module, tuple(example(*spec) for spec in specs))
    file.write(graph, output)
    facts = {"file": str(output), "file_bytes": output.stat().st_size, "parameters": graph.parameter_count}
    if as_json:
        print_json(facts)
    else:
        say(f"{output}: {facts['parameters']:,} parameters, {facts['file_bytes']:,} bytes")
        say(f"Next: fitwright inspect {output}, or fitwright search {output} --data DATA --limit latency=0.5x")


def parse_input(text: str, dtype: str) -> tuple[tuple[int, ...], str, int]:
    """`1x3x32x32`, `1x128:int64` or `1x128:int64:30522` as shape, type and number of values (integers only)."""
    shape_text, _, rest = text.partition(":")
    dtype_text, _, values_text = rest.partition(":")
    try:
        shape = tuple(int(part) for part in shape_text.lower().split("x"))
        values = int(values_text) if values_text else 2
    except ValueError:
        raise CliError(
            f"--input {text}: write sizes with x between them, such as 1x3x32x32 or 1x128:int64:30522"
        ) from None
    if any(size < 1 for size in shape) or values < 1:
        raise CliError(f"--input {text}: every size is at least 1")
    dtype = dtype_text or dtype
    if dtype not in DTYPES:
        raise CliError(f"--input {text}: {dtype} is not one of {', '.join(DTYPES)}")
    return shape, dtype, values


def example(shape: tuple[int, ...], dtype: str, values: int) -> Tensor:
    """A seeded input of that shape: normal floats, or integers that span 0 ... values-1."""
    import torch

    generator = torch.Generator().manual_seed(0)
    kind: torch.dtype = getattr(torch, dtype)
    if kind.is_floating_point:
        return torch.randn(shape, generator=generator, dtype=kind)
    sample = torch.randint(0, values, shape, generator=generator)
    sample.view(-1)[0] = values - 1
    return sample.to(kind)


def load_model(target: str) -> nn.Module:
    """Runs FILE.py and takes NAME from it: a module, or a function without arguments that returns one."""
    path_text, _, name = target.rpartition(":")
    path = Path(path_text)
    if not name or not path_text:
        raise CliError(f"{target}: write FILE.py:NAME, such as my_model.py:make_model")
    if not path.is_file():
        raise CliError(f"{path}: there is no such file")
    found = getattr(_run_file(path), name, None)
    if found is None:
        raise CliError(f"{path} has no {name}")
    from torch import nn

    model = found if isinstance(found, nn.Module) or not callable(found) else _call(found, path, name)
    if not isinstance(model, nn.Module):
        raise CliError(f"{target} gives {type(model).__name__}, but a torch.nn.Module is needed")
    return model


def _run_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"captured_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise CliError(f"{path}: a Python file ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.resolve().parent))  # its neighbours may be imported, now or when NAME is called
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise CliError(f"{path} could not be run: {_where(error, path)}") from error
    return module


def _call(function: Any, path: Path, name: str) -> Any:
    try:
        return function()
    except Exception as error:
        raise CliError(f"{name}() in {path} failed: {_where(error, path)}") from error


def _where(error: Exception, path: Path) -> str:
    """The error with the last line of the user's file that led to it."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) == path]
    if isinstance(error, SyntaxError):
        lines = [error.lineno]
    at = f"line {lines[-1]}: " if lines else ""
    return f"{at}{type(error).__name__}: {error}"

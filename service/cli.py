"""`fitwright`: the command line. One file per noun beside this one; heavy imports happen inside the commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import typer
from rich.text import Text

from service.cli_agent import agent
from service.cli_apply import apply
from service.cli_bundle import check, replay
from service.cli_capture import capture
from service.cli_catalogue import importances, methods, recoveries, strategies
from service.cli_devices import devices
from service.cli_errors import INTERRUPTED, explain
from service.cli_inspect import inspect
from service.cli_profile import profile
from service.cli_repeat import batch, schedule
from service.cli_search import search
from service.cli_serve import serve, worker
from service.cli_show import err

app = typer.Typer(
    name="fitwright",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Fits a trained network to a device: the most accurate compressed model that keeps your budget, re-measured.",
    epilog="Exit codes: 0 done (a search: feasible), 1 failed, 2 wrong usage or input, 3 infeasible, 130 interrupted.",
)
DOING: tuple[Callable[..., object], ...] = (
    capture,
    inspect,
    search,
    apply,
    check,
    replay,
    profile,
    serve,
    worker,
    agent,
    batch,
)
CATALOGUES: tuple[Callable[..., object], ...] = (methods, importances, recoveries, strategies)
for command in DOING:
    app.command()(command)
app.add_typer(schedule, name="schedule")
app.add_typer(devices, name="devices")
for command in CATALOGUES:
    app.command()(command)


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; errors become one line on stderr."""
    try:
        code = app(list(arguments), standalone_mode=False)
    except typer.TyperException as error:
        return _usage(error)
    except (KeyboardInterrupt, typer.Abort):
        return _stop("interrupted", INTERRUPTED)
    except Exception as error:
        return _stop(*explain(error))
    return code if isinstance(code, int) else 0


def _usage(error: typer.TyperException) -> int:
    """Wrong usage: what was wrong, and where the help is."""
    message = getattr(error, "format_message", error.__str__)()
    context = getattr(error, "ctx", None)
    place = context.command_path if context else "fitwright"
    return _stop(f"{message} ({place} --help tells more)", getattr(error, "exit_code", 2))


def _stop(message: str, code: int) -> int:
    err().print(Text.assemble(("fitwright: ", "bold"), message), soft_wrap=True)
    return code


if __name__ == "__main__":
    main()

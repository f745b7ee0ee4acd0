"""`fitwright agent`: the program of hwmodels/agent.py, for boards that have all of Fitwright installed."""

from __future__ import annotations

from typing import Annotated

import typer


def agent(
    server: Annotated[str, typer.Option(help="Address of the service, such as http://127.0.0.1:8077.")],
    device: Annotated[str, typer.Option(help="Id of the device that this machine is.")],
    key: Annotated[str, typer.Option(help="The device's key, shown when it was made (FITWRIGHT_AGENT_KEY).")] = "",
    once: Annotated[bool, typer.Option(help="End after one job.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line.")] = False,
    new_table: Annotated[bool, typer.Option(help="Go on here though the device was another machine before.")] = False,
) -> int:
    """Serve a device from the board that it is about: measure what searches need, until Ctrl-C.

    Where only Python, numpy and the runtime are installed, the same program is `python -m hwmodels.agent`.

    Exit code: 0 when it was ended, 2 when the service refuses it, with the reason.

    Example:

        fitwright agent --server http://127.0.0.1:8077 --key KEY --device my-board
    """
    from hwmodels.agent import run

    return run(server, key, device, once, as_json, new_table)

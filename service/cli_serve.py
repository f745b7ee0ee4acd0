"""`fitwright serve` and `fitwright worker`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from service.cli_errors import CliError
from service.cli_show import hint

Home = Annotated[
    Path | None, typer.Option(help="Folder of the database, uploads and bundles (FITWRIGHT_HOME).", show_default=False)
]


def serve(
    host: Annotated[str | None, typer.Option(help="Where to listen; this machine only (FITWRIGHT_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free one (FITWRIGHT_PORT).", min=0, max=65535)] = None,
    workers: Annotated[int | None, typer.Option(help="How many searches work at once (FITWRIGHT_WORKERS).")] = None,
    home: Home = None,
) -> None:
    """Run the service: pages, REST API, workers and scheduler, until Ctrl-C.

    Examples:

        fitwright serve

        fitwright serve --port 9000 --workers 4 --home /srv/fitwright
    """
    from service.settings import load_settings

    settings = load_settings(host=host, port=port, workers=workers, home=home)
    settings = settings.model_copy(update={"port": settings.port or _free_port(settings.host)})
    _check_free(settings.host, settings.port)
    from service.server import serve as run

    hint(f"Fitwright on http://{settings.host}:{settings.port} (data in {settings.home}); Ctrl-C ends it")
    with suppress(KeyboardInterrupt):
        run(settings)


def worker(home: Home = None) -> None:
    """Work on the searches of a service; start as many as there is room for.

    Example:

        FITWRIGHT_DATABASE_URL=postgresql+psycopg://user:password@host/name fitwright worker
    """
    from service.settings import load_settings
    from service.worker import run_worker

    run_worker(load_settings(home=home))


def _free_port(host: str) -> int:
    import socket

    with socket.create_server((host, 0)) as taken:
        return int(taken.getsockname()[1])


def _check_free(host: str, port: int) -> None:
    """Says so at once where something else listens there already."""
    import socket

    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise CliError(f"--port {port}: {error.strerror}; take another one, or 0 for any free one") from error

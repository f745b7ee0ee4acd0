"""Runs the service until it is told to stop."""

from __future__ import annotations

import threading
from types import FrameType

import uvicorn

from service.app import create_app
from service.logs import set_up_logging
from service.settings import Settings

STOP_S = 5
"""How long requests may hold up the end."""


class Server(uvicorn.Server):
    """A server that tells open event streams when it is to end, so that they don't hold it up."""

    def __init__(self, config: uvicorn.Config, stopping: threading.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._stopping.set()
        super().handle_exit(sig, frame)


def serve(settings: Settings) -> None:
    """The service on its host and port; SIGINT and SIGTERM end it, and its workers with it."""
    set_up_logging(settings.log_level)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        timeout_graceful_shutdown=STOP_S,
        server_header=False,
    )
    Server(config, app.state.stopping).run()


if __name__ == "__main__":
    from service.settings import load_settings

    serve(load_settings())

"""A real service on a port of its own that can be started again, and agents on a board that has next to nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from service.client import Client
from service.settings import Settings, load_settings
from tests.acceptance.serving import FITWRIGHT, ROOT, Service, _answers, wait_for

ABSENT = (
    "torch",
    "onnx",
    "scipy",
    "typer",
    "rich",
    "httpx",
    "sqlalchemy",
    "fastapi",
    "pydantic",
    "optuna",
    "safetensors",
)
"""Packages that a board doesn't have."""

BOARD = f"""
import importlib.abc, os, random, sys, time

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT!r}:
            raise ImportError(f"{{name}} is not installed on this board")

sys.meta_path.insert(0, Absent())
if "JUMPING_CLOCK" in os.environ:
    time.time = lambda: random.uniform(-1e9, 4e9)
    time.time_ns = lambda: int(1e9 * time.time())
"""
"""What Python reads at its start there, and in the processes that it starts."""


class Board:
    """A machine with nothing but Python, numpy and the runtime, as far as agents on it can tell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "sitecustomize.py").write_text(BOARD)

    def start(self, *arguments: str, name: str = "agent", **variables: str) -> Agent:
        """An agent; `variables` are added to its environment."""
        paths = os.pathsep.join([str(self.folder), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = os.environ | {"PYTHONPATH": paths} | variables
        log = self.folder / f"{name}.log"
        with log.open("ab") as file:
            command = [sys.executable, "-m", "hwmodels.agent", *arguments]
            process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=file, stderr=file)
        return Agent(process, log)


class Agent:
    """A started agent and what it said."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self._log = process, log

    @property
    def said(self) -> str:
        return self._log.read_text()

    def wait_for(self, words: str) -> None:
        wait_for(lambda: words in self.said, seconds=60.0)

    def ended(self) -> int:
        return self.process.wait(60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def agent(board: Board, *arguments: str, name: str = "agent", **variables: str) -> Iterator[Agent]:
    """An agent that is gone at the end."""
    started = board.start(*arguments, name=name, **variables)
    try:
        yield started
    finally:
        started.kill()


@contextmanager
def service_on(port: int, home: Path, **settings: str) -> Iterator[Service]:
    """`fitwright serve` on a certain port, killed at the end."""
    changed = {f"FITWRIGHT_{name.upper()}": value for name, value in settings.items()}
    environment = os.environ | {"FITWRIGHT_HOME": str(home), "FITWRIGHT_LEASE_S": "2"} | changed
    address = f"http://127.0.0.1:{port}"
    with (home.parent / f"{home.name}.log").open("ab") as log:
        process = subprocess.Popen([FITWRIGHT, "serve", "--port", str(port)], env=environment, cwd=ROOT, stderr=log)
    try:
        wait_for(lambda: _answers(address) or process.poll() is not None)
        yield Service(process, Client(address), address, home)  # type: ignore[arg-type]
    finally:
        process.kill()
        process.wait(60)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def settings_at(home: Path) -> Settings:
    """Those of a service started here, for a look into its tables."""
    return load_settings(home=home, lease_s=2.0, poll_s=0.05)


def jobs_of(address: str, device: str = "my-board") -> dict[str, int]:
    """How many measure jobs are in which state."""
    found: dict[str, int] = httpx.get(f"{address}/v1/devices/{device}/agents", timeout=60.0).json()["jobs"]
    return found

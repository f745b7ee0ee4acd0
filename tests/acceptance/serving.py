"""A real service in a process of its own, and what acceptance tests ask of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import torch

from examples.networks import digits_cnn
from examples.train import train
from methods.graph.file import write
from methods.graph.intake.capture import capture
from search.data import load_dataset
from search.splits import split
from service.client import Client

ROOT = Path(__file__).parents[2]
FITWRIGHT = str(Path(sys.executable).parent / "fitwright")
TOLD = ("number", "recipe", "state", "costs", "quality", "error")


@dataclass
class Service:
    """A running service: its process, and a client that talks to it."""

    process: subprocess.Popen[str]
    client: Client
    address: str
    home: Path

    def workers(self) -> list[int]:
        """Process ids of the workers that it started."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]


@contextmanager
def service(home: Path, **settings: str) -> Iterator[Service]:
    """`fitwright serve` on a free port, ended at the end."""
    changed = {f"FITWRIGHT_{name.upper()}": value for name, value in settings.items()}
    environment = os.environ | {"FITWRIGHT_HOME": str(home), "COLUMNS": "500"} | changed
    command = [FITWRIGHT, "serve", "--port", "0"]
    with (home.parent / f"{home.name}.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=log, text=True)
    try:
        address = wait_for(lambda: re.findall(r"http://127\.0\.0\.1:\d+", Path(log.name).read_text())[-1:], process)
        wait_for(lambda: _answers(address[0]), process)
        yield Service(process, Client(address[0]), address[0], home)
    finally:
        process.terminate()
        process.wait(60)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz", timeout=5.0).status_code == 200
    except httpx.TransportError:
        return False


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[str] | None = None, seconds: float = 240.0) -> Any:
    """The condition's value once it holds; generous, because the machine may be busy."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        assert process is None or process.poll() is None, "the service ended"
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
    return value


def told(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Trials without what differs from run to run."""
    return [{key: t.get(key) for key in TOLD} for t in trials]


def digits_model(folder: Path, width: int = 16) -> Path:
    """A small network trained on real digits, captured."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = digits_cnn() if width == 16 else type(digits_cnn())(width)
    train(model, split(load_dataset("digits"), 0).train, 6, 0)
    path = folder / f"digits-{width}.fwm"
    write(capture(model, torch.zeros(1, 1, 8, 8)), path)
    return path

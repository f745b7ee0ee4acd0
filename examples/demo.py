"""The main job, end to end: a real network, real images, a real budget, through the service.

python -m examples.demo                    LeNet-5 on MNIST, half the latency
python -m examples.demo --network digits   a small network on scikit-learn's digits
python -m examples.demo --limit size=0.03x
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import torch
from rich.console import Console

from examples.networks import digits_cnn
from examples.train import train, trained_lenet5
from methods.graph.file import write
from methods.graph.intake.capture import capture
from search.data import load_dataset
from search.splits import split
from service.cli_outcome import show_outcome
from service.cli_progress import SearchProgress
from service.client import Client

CONSOLE = Console(stderr=True)
LIMITS = {"lenet5": ["latency=0.5x"], "digits": ["latency=0.8x", "size=0.25x"]}
"""What is asked for without --limit; a network of 15 us is mostly the cost of its calls, which no method touches."""


def main() -> int:
    """Runs the demo; the exit code is 0 if a model was found that keeps the limits."""
    arguments = _arguments()
    torch.set_num_threads(1)
    home = Path(os.environ.get("FITWRIGHT_HOME", ".fitwright")).absolute()
    home.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    model = _model(arguments.network, arguments.seed, home)
    port = arguments.port or _free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "serve", "--port", str(port)],
        env={**os.environ, "FITWRIGHT_HOME": str(home), "FITWRIGHT_LOG_LEVEL": "warning"},
    )
    try:
        return _run(arguments, model, f"http://127.0.0.1:{port}", started)
    finally:
        server.terminate()
        server.wait(timeout=30)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=["lenet5", "digits"], default="lenet5")
    parser.add_argument("--device", default="local-onnxruntime")
    parser.add_argument("--limit", action="append", default=None, help="such as latency=0.5x; several are allowed")
    parser.add_argument("--evaluations", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    return parser.parse_args()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _model(network: str, seed: int, home: Path) -> Path:
    """Trains the network, the same weights every time, and captures it."""
    path = home / f"demo-{network}-{seed}.fwm"
    with CONSOLE.status(f"Training {network}"):
        if network == "lenet5":
            model, example = trained_lenet5(seed), torch.zeros(1, 1, 28, 28)
        else:
            torch.manual_seed(seed)
            model, example = digits_cnn(), torch.zeros(1, 1, 8, 8)
            train(model, split(load_dataset("digits"), seed).train, 15, seed)
        size = write(capture(model, example), path)
    CONSOLE.print(f"Trained and captured {network}: {path} ({size / 1e6:.2f} MB)")
    return path


def _run(arguments: argparse.Namespace, model: Path, address: str, started: float) -> int:
    _wait_until_up(address)
    client = Client(address)
    dataset = "mnist" if arguments.network == "lenet5" else "digits"
    limits = dict(text.split("=", 1) for text in arguments.limit or LIMITS[arguments.network])
    search = client.submit(
        model=client.upload_model(model),
        dataset=dataset,
        device=arguments.device,
        limits=limits,
        evaluations=arguments.evaluations,
        seed=arguments.seed,
        name=f"demo: {arguments.network}",
    )
    CONSOLE.print(f"Submitted {search}: at most {', '.join(f'{k} {v}' for k, v in limits.items())}")
    with SearchProgress(CONSOLE) as progress:
        done = client.wait(search, progress.on_event)
    if done["state"] != "succeeded":
        CONSOLE.print(f"The search {done['state']}: {done.get('state_reason')}")
        return 1
    show_outcome(done["result"])
    if done["outcome"] != "feasible":
        return 3
    print(f"\nBundle:   {done['result']['bundle']}")
    print(f"Look:     make serve, then http://127.0.0.1:8077/searches/{search}")
    print(f"Check:    .venv/bin/fitwright check {done['result']['bundle']}")
    print(f"Took:     {time.monotonic() - started:.0f} s, training included")
    return 0


def _wait_until_up(address: str, patience_s: float = 60.0) -> None:
    """Waits until the service answers."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        try:
            if httpx.get(f"{address}/healthz", timeout=2.0).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise SystemExit("the service did not start; its messages are above")


if __name__ == "__main__":
    sys.exit(main())

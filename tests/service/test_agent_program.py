"""The program on the board, as a process that lacks all but numpy and the runtime, against a real service."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from onnx import TensorProto, helper

from hwmodels.agent_protocol import PROTOCOL
from hwmodels.base import MeasurementFailed, UnsupportedOp
from hwmodels.profilers.channel import Reply
from hwmodels.profilers.empty import empty
from service.heartbeat import Unwanted
from service.remote import remote_channel
from service.watch import Watch, watched
from service.workspace import Workspace
from tests.acceptance.serving import ROOT, Service, wait_for
from tests.service.agent_calls import Caller, add_device
from tests.service.agent_processes import Board, agent, free_port, jobs_of, service_on, settings_at

TIME = {"action": "time", "runtime": "onnxruntime", "batch": 1, "threads": 1, "precision": "", "effort": "glance"}
TIME |= {"copies": 1, "optimise": False, "gauge_s": 0.0}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service without workers: these tests ask for measurements themselves."""
    home = tmp_path_factory.mktemp("service") / "home"
    with service_on(free_port(), home, workers="0") as started:
        yield started


@pytest.fixture(scope="module")
def here(running: Service) -> Iterator[Workspace]:
    """The same tables, as a worker would open them."""
    opened = Workspace(settings_at(running.home))
    yield opened
    opened.close()


@pytest.fixture
def device(request: pytest.FixtureRequest) -> str:
    """A device of each test's own."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name.lower())[:70].strip("-")


@pytest.fixture
def arguments(running: Service, device: str) -> list[str]:
    """Those of an agent that serves it."""
    with httpx.Client(base_url=running.address) as http:
        return ["--server", running.address, "--key", add_device(http, device), "--device", device]


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def timed(here: Workspace, device: str, programs: list[bytes], **changes: Any) -> Reply:
    labels = [f"program {n}" for n in range(len(programs))]
    return remote_channel(here, device).request(TIME | {"labels": labels} | changes, programs, 60.0)


def slow() -> bytes:
    """A program whose timing takes some seconds."""
    size = [1600, 1600]
    nodes = [helper.make_node("MatMul", ["x", "x"], ["y"]), helper.make_node("MatMul", ["y", "x"], ["z"])]
    return program(nodes, size, helper.make_tensor_value_info("z", TensorProto.FLOAT, size))


def sequence() -> bytes:
    """A program that gives back no tensor."""
    output = helper.make_tensor_sequence_value_info("z", TensorProto.FLOAT, [2])
    return program([helper.make_node("SequenceConstruct", ["x"], ["z"])], [2], output)


def program(nodes: list[Any], size: list[int], output: Any) -> bytes:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, size)
    graph = helper.make_graph(nodes, "program", [given], [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def test_a_board_with_numpy_and_the_runtime_measures(
    here: Workspace, device: str, arguments: list[str], board: Board
) -> None:
    """Forty programs come back as forty times in order, from three jobs, and the agent tells of each."""
    with agent(board, *arguments, "--json") as started:
        started.wait_for("registered")
        reply, _ = timed(here, device, [empty(1 + n % 2) for n in range(40)], effort="nodes")
        assert len(reply["measurements"]) == 40
        assert all(0 < row["latency_s"] <= row["p10_s"] for row in reply["measurements"])
        started.process.send_signal(signal.SIGTERM)
        assert started.ended() == 0
    told = [json.loads(line) for line in started.said.splitlines()]
    assert [line["event"] for line in told] == ["registered", *["job", "answered"] * 3, "ended"]


def test_what_the_runtime_refuses_is_an_error_here(
    here: Workspace, device: str, arguments: list[str], board: Board
) -> None:
    """As it is with a process of this machine: UnsupportedOp and MeasurementFailed, in the runtime's words."""
    with agent(board, *arguments) as started:
        started.wait_for("serving")
        with pytest.raises(MeasurementFailed, match="the runtime refused"):
            timed(here, device, [b"no program"])
        look = TIME | {"action": "look", "what": "values"}
        with pytest.raises(UnsupportedOp, match="only tensors can be measured"):
            remote_channel(here, device).request(look, [sequence()], 60.0)


def test_ctrl_c_gives_the_job_back(
    here: Workspace, running: Service, device: str, arguments: list[str], board: Board
) -> None:
    """It ends at once with code 0, and the next agent has the job without waiting for the lease."""
    found: list[Reply] = []
    with agent(board, *arguments) as started:
        started.wait_for("serving")
        waiting = threading.Thread(target=lambda: found.append(timed(here, device, [slow()], effort="networks")))
        waiting.start()
        wait_for(lambda: jobs_of(running.address, device)["running"])
        started.process.send_signal(signal.SIGINT)
        assert started.ended() == 0
    assert "given back" in started.said
    assert jobs_of(running.address, device)["queued"] == 1
    with agent(board, *arguments, "--once", name="next") as another:
        assert another.ended() == 0
    waiting.join(60)
    assert len(found[0][0]["measurements"]) == 1


def test_a_withdrawn_job_ends_the_measuring(
    here: Workspace, running: Service, device: str, arguments: list[str], board: Board
) -> None:
    """The agent hears of it when it renews, ends its measuring process, and takes the next job."""
    with agent(board, *arguments) as started:
        started.wait_for("serving")
        cancelled = threading.Event()
        waiting = threading.Thread(target=_until_cancelled, args=(here, device, cancelled))
        waiting.start()
        wait_for(lambda: jobs_of(running.address, device)["running"])
        cancelled.set()
        waiting.join(60)
        started.wait_for("its reply doesn't count")
        assert jobs_of(running.address, device)["withdrawn"] == 1
        assert timed(here, device, [empty(1)])[0]["measurements"]


def _until_cancelled(here: Workspace, device: str, cancelled: threading.Event) -> None:
    """A request that takes long, of a task that is cancelled meanwhile."""

    def check() -> None:
        if cancelled.is_set():
            raise Unwanted("it was cancelled")

    with watched(Watch(check, lambda _text: None)), pytest.raises(Unwanted):
        timed(here, device, [slow()] * 4, effort="networks")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--key", "wrong"], "this isn't the key of"),
        (["--key", ""], "--key is empty"),
        (["--key", "two words"], "letters that no key has"),
        (["--device", "no-such-board"], "there is no device 'no-such-board'"),
        (["--server", "my-server:8077"], "is no address of a service"),
        (["--server", "{address}/v1"], "is no Fitwright service|Check the id"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    running: Service, arguments: list[str], board: Board, change: list[str], words: str
) -> None:
    """On standard error, with code 2, and no traceback."""
    given = [*arguments, change[0], change[1].format(address=running.address)]
    with agent(board, *given) as started:
        assert started.ended() == 2
    (line,) = started.said.splitlines()
    assert line.startswith("fitwright agent: ")
    assert any(word in line for word in words.split("|")), line


def test_a_device_of_another_machine_is_not_served(
    running: Service, device: str, arguments: list[str], board: Board
) -> None:
    """The sentence names both machines and the way out; with --new-table it serves."""
    with httpx.Client(base_url=running.address) as http:
        assert Caller(http, arguments[3], device, machine="a Raspberry Pi").registered.status_code == 201
        with agent(board, *arguments) as started:
            assert started.ended() == 2
        assert "a Raspberry Pi with onnxruntime 1.2.3" in started.said
        assert "--new-table" in started.said
        with agent(board, *arguments, "--new-table", name="new") as started:
            started.wait_for("serving")


@pytest.mark.parametrize(
    ("protocol", "words"), [(PROTOCOL - 1, "the agent is older"), (PROTOCOL + 1, "the service is older")]
)
def test_an_agent_of_another_version_is_told_so(arguments: list[str], protocol: int, words: str) -> None:
    """With code 2."""
    code = f"import sys, hwmodels.agent as a; a.PROTOCOL = {protocol}; sys.exit(a.main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, words in done.stderr, done.stdout) == (2, True, "")


def test_the_command_line_has_it(arguments: list[str]) -> None:
    """`fitwright agent` with the key from the environment refuses in the same words."""
    fitwright = str(Path(sys.executable).parent / "fitwright")
    given = [fitwright, "agent", *arguments[:2], *arguments[4:]]
    environment = os.environ | {"FITWRIGHT_AGENT_KEY": "wrong"}
    done = subprocess.run(given, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, "this isn't the key of" in done.stderr) == (2, True)


def test_an_agent_outlasts_its_service(tmp_path: Path) -> None:
    """Started before it, it says once that nobody answers; killed and started again, it is found again."""
    (tmp_path / "board").mkdir()
    port, home, board = free_port(), tmp_path / "home", Board(tmp_path / "board")
    with service_on(port, home, workers="0") as running, httpx.Client(base_url=running.address) as http:
        arguments = ["--server", running.address, "--key", add_device(http), "--device", "my-board"]
    with agent(board, *arguments) as started:
        started.wait_for("trying again")
        with service_on(port, home, workers="0"):
            started.wait_for("serving my-board")
            assert started.said.count("can't be reached") == 1
        wait_for(lambda: started.said.count("can't be reached") == 2, seconds=60.0)
        with service_on(port, home, workers="0") as running:
            here = Workspace(settings_at(home))
            assert timed(here, "my-board", [empty(1)])[0]["measurements"]
            here.close()
        assert len([line for line in started.said.splitlines() if line.endswith(" is back")]) == 2
        assert started.said.count("serving") == 1

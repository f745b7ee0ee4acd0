"""What an agent needs, says and refuses, without a service; tests/service has the rest of it."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodels.agent_link import Away, Link, Refused
from hwmodels.agent_protocol import BadFrame, read_frame
from hwmodels.profilers.frames import pack

ROOT = Path(__file__).resolve().parents[2]
NOTHING_ELSE = """
import sys
import hwmodels.agent
import hwmodels.profilers.child
import hwmodels.profilers.runtimes.onnxruntime
own = {"hwmodels", "numpy", "onnxruntime"}
print(*sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names) - own))
"""


def test_it_imports_numpy_and_the_runtime_alone() -> None:
    """Whatever else is loaded belongs to one of the two; none of it is a package that Fitwright brings."""
    done = subprocess.run([sys.executable, "-c", NOTHING_ELSE], cwd=ROOT, capture_output=True, text=True, check=True)
    brought = {"torch", "onnx", "scipy", "typer", "rich", "httpx", "sqlalchemy", "fastapi", "pydantic", "optuna", "PIL"}
    assert not brought & set(done.stdout.split())
    assert not {"service", "search", "methods", "db"} & set(done.stdout.split())


def read(data: bytes) -> object:
    return read_frame(io.BytesIO(data), len(data))


@given(st.lists(st.binary(max_size=50), max_size=5), st.integers(0, 500))
def test_a_frame_is_read_whole_or_not_at_all(blobs: list[bytes], cut: int) -> None:
    """What was packed comes back; the same with its end cut off, or with more after it, is refused."""
    data = b"".join(pack({"action": "time"}, blobs))
    assert read(data) == ({"action": "time", "blobs": [len(blob) for blob in blobs]}, blobs)
    if cut < len(data):
        with pytest.raises(BadFrame):
            read(data[:cut])
    with pytest.raises(BadFrame):
        read(data + b"x")


@given(st.binary(max_size=300))
def test_anything_else_is_refused(data: bytes) -> None:
    """Noise, and noise with a header's length before it, are refused as no frame."""
    for given_bytes in (data, len(data).to_bytes(8, "little") + data):
        with pytest.raises(BadFrame):
            read(given_bytes)


@pytest.mark.parametrize("address", ["", "127.0.0.1:8077", "ftp://127.0.0.1", "file:///etc/passwd", "http://"])
def test_only_addresses_of_services_are_taken(address: str) -> None:
    """The message shows one."""
    with pytest.raises(Refused, match=r"try http://127\.0\.0\.1:8077"):
        Link(address, "key")


@pytest.mark.parametrize("key", ["", "a b", "a\nb", "schlüssel"])
def test_only_keys_are_taken(key: str) -> None:
    """What can't stand in a header is named before anything is sent."""
    with pytest.raises(Refused, match="copy it as it was shown"):
        Link("http://127.0.0.1:1", key)


def test_nobody_there_is_away() -> None:
    """Not an end: it may come back."""
    with pytest.raises(Away, match="can't be reached"):
        Link("http://127.0.0.1:1", "key").claim("agt_1", 0.0)


class Odd(BaseHTTPRequestHandler):
    """Something else than a service."""

    seen: list[str] = []  # noqa: RUF012 - one for all requests

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        Odd.seen.append(self.path)
        status = int(self.headers["Authorization"].removeprefix("Bearer "))
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def odd_server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Odd) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (200, Refused, "is no Fitwright service"),
        (302, Refused, "answered 302"),
        (307, Refused, "answered 307"),
        (404, Refused, "is it a Fitwright service"),
        (429, Away, "in trouble"),
        (503, Away, "in trouble"),
    ],
)
def test_what_is_no_service_is_told_apart(status: int, kind: type[Exception], words: str) -> None:
    """Refused where trying again would end the same, away where it may not; the key goes nowhere else."""
    Odd.seen.clear()
    with odd_server() as address, pytest.raises(kind, match=words):
        Link(address, str(status)).register("my board/..", {})
    assert Odd.seen == ["/v1/devices/my%20board%2F../agents"]


def test_a_claim_that_is_no_frame_is_away() -> None:
    """Half a job is tried for again."""
    with odd_server() as address, pytest.raises(Away, match="what is no job"):
        Link(address, "200").claim("agt_1", 0.0)

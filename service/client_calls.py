"""What every call to a running service goes through: sent again where that is safe, refusals as ClientError."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

Json = dict[str, Any]

ADDRESS = "http://127.0.0.1:8077"
PAUSE_S, TRIES = 0.5, 3
"""How long between two tries, and how often a request is sent."""


class ClientError(Exception):
    """The service refused, or can't be reached. `problem` is what it said (RFC 9457), empty where it said nothing."""

    def __init__(self, message: str, problem: Json | None = None) -> None:
        super().__init__(message)
        self.problem: Json = problem or {}

    @property
    def status(self) -> int:
        """The HTTP status; 0 where there was no answer."""
        return int(self.problem.get("status", 0))


class Calls:
    """The connection to a service by its address."""

    def __init__(self, base_url: str = ADDRESS, timeout_s: float = 120.0, http: httpx.Client | None = None) -> None:
        self._http = http or httpx.Client(base_url=base_url, timeout=timeout_s)
        self._address = str(self._http.base_url)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _upload(self, path: str, file: Path, name: str) -> str:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise ClientError(f"{file}: {error.strerror}") from error
        answer = self._ask("POST", path, files={"file": (file.name, content)}, data={"name": name} if name else {})
        return str(answer.json()["id"])

    def _create(self, path: str, body: Mapping[str, Any], key: str = "", left: int = TRIES - 1) -> str:
        """Sends a request with a key of its own, so that trying again can't do it twice."""
        key = key or uuid.uuid4().hex
        try:
            return str(self._ask("POST", path, json=dict(body), headers={"Idempotency-Key": key}).json()["id"])
        except ClientError as error:
            if not left or error.status not in (0, 503):
                raise
        time.sleep(PAUSE_S)
        return self._create(path, body, key, left - 1)

    def _json(self, method: str, path: str) -> Json:
        found: Json = self._ask(method, path).json()
        return found

    def _pages(self, path: str, name: str) -> Iterator[Json]:
        following: object = None
        while True:
            parameters = {} if following is None else {name: str(following)}
            answer = self._ask("GET", path, params=parameters).json()
            yield from answer["items"]
            following = answer.get("next")
            if following is None:
                return

    def _ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **given)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        check_answer(answer)
        return answer

    def _unreachable(self, error: httpx.TransportError) -> ClientError:
        return ClientError(f"no service answers at {self._address} ({error}); start one with fitwright serve")


def check_answer(answer: httpx.Response) -> None:
    """Raises ClientError with what a refusal says."""
    if not answer.is_error:
        return
    try:
        problem = dict(answer.json())
    except ValueError:
        problem = {}
    problem.setdefault("status", answer.status_code)
    raise ClientError(str(problem.get("detail") or f"the service answered {answer.status_code}"), problem)

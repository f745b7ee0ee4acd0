"""The Python client: a running Fitwright service over REST."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

import httpx

from service.sse import Event, read_events

Json = dict[str, Any]

ADDRESS = "http://127.0.0.1:8077"
PATIENCE_S, PAUSE_S, TRIES = 30.0, 0.5, 3
"""How long a stream that broke is tried for again, how long between two tries, how often a request is sent."""


class ClientError(Exception):
    """The service refused, or can't be reached. `problem` is what it said (RFC 9457), empty where it said nothing."""

    def __init__(self, message: str, problem: Json | None = None) -> None:
        super().__init__(message)
        self.problem: Json = problem or {}

    @property
    def status(self) -> int:
        """The HTTP status; 0 where there was no answer."""
        return int(self.problem.get("status", 0))


class Client:
    """A service by its address. Every method raises ClientError with the service's own explanation.

    >>> client = Client()
    >>> model = client.upload_model("m.fwm")
    >>> search = client.submit(model, "digits", {"latency": "0.5x"})
    >>> client.wait(search)["outcome"]
    'feasible'
    >>> client.download(search, "fitted")
    """

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

    def upload_model(self, path: Path | str, name: str = "") -> str:
        """Uploads a .fwm, .pt2 or .onnx file; returns the model's id, the same for the same content."""
        return self._upload("/v1/models", Path(path), name)

    def inspect(self, model_id: str) -> Json:
        """What a model offers to a search: `coverage`, `groups`, `blocks`, `frozen`, `weights`; slow at first."""
        return self._json("GET", f"/v1/models/{model_id}/inspection")

    def importances(self, model_id: str, dataset: str) -> Json:
        """How well each importance foretells what removing units does to the loss on a data set; slow at first."""
        found: Json = self._ask("GET", f"/v1/models/{model_id}/importances", params={"dataset": dataset}).json()
        return found

    def upload_dataset(self, path: Path | str, name: str = "") -> str:
        """Uploads an .npz, or a zip with a folder of images per class; returns the data set's id."""
        return self._upload("/v1/datasets", Path(path), name)

    def submit(
        self,
        model: str,
        dataset: str,
        limits: Mapping[str, str],
        device: str = "local-onnxruntime",
        **effort: Any,
    ) -> str:
        """Starts a search and returns its id.

        Args:
            dataset: an id, or a built-in name (`mnist`, `digits`).
            limits: metric -> text, such as `{"latency": "0.5x", "size": "200kB"}`.
            effort: evaluations, seed, strategy, methods, recovery_epochs, name.
        """
        body = {"model": model, "dataset": dataset, "device": device, "limits": dict(limits)} | effort
        return self._create("/v1/searches", body)

    def get(self, search_id: str) -> Json:
        """A search as it stands: state, progress, reference, best so far, result."""
        return self._json("GET", f"/v1/searches/{search_id}")

    def searches(self) -> Iterator[Json]:
        """All searches, newest first."""
        return self._pages("/v1/searches", "cursor")

    def trials(self, search_id: str) -> list[Json]:
        """All trials in order of number."""
        return list(self._pages(f"/v1/searches/{search_id}/trials", "after"))

    def front(self, search_id: str) -> Json:
        """The trials within the limits that no other one beats (`items`), with limits and reference."""
        return self._json("GET", f"/v1/searches/{search_id}/front")

    def events(self, search_id: str) -> Iterator[tuple[str, Json]]:
        """What happens to a search, as it happens, from its beginning to its `end`: kind and data.

        A connection that breaks is made again, and goes on after the last event that arrived.
        """
        last, deadline = "", time.monotonic() + PATIENCE_S
        while True:
            try:
                for event in self._stream(search_id, last):
                    deadline = time.monotonic() + PATIENCE_S
                    last = event.id or last
                    yield event.kind, json.loads(event.data)
                    if event.kind == "end":
                        return
            except httpx.TransportError as error:
                if time.monotonic() > deadline:
                    raise self._unreachable(error) from error
            time.sleep(PAUSE_S)

    def wait(self, search_id: str, on_event: Callable[[str, Json], object] | None = None) -> Json:
        """Follows a search to its end and returns it; `on_event` is called with the kind and data of each event."""
        for kind, data in self.events(search_id):
            if on_event is not None:
                on_event(kind, data)
        return self.get(search_id)

    def cancel(self, search_id: str) -> Json:
        """Asks for a search to be stopped."""
        return self._json("POST", f"/v1/searches/{search_id}:cancel")

    def download(self, search_id: str, folder: Path | str) -> Path:
        """Downloads the bundle of a search into a new folder, whole or not at all."""
        target = Path(folder).absolute()
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise ClientError(f"{target} is there already; give a folder that doesn't exist yet")
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as place:
            packed = Path(place) / "bundle.zip"
            self._fetch(f"/v1/searches/{search_id}/artifacts/bundle.zip", packed)
            _unpack(packed, Path(place) / "bundle").replace(target)
        return target

    def batch(self, request: Mapping[str, Any]) -> str:
        """Starts a batch (models, datasets, devices, budgets; see /docs) and returns its id."""
        return self._create("/v1/batches", request)

    def get_batch(self, batch_id: str) -> Json:
        """A batch: one result per search, each beside that of the batch before."""
        return self._json("GET", f"/v1/batches/{batch_id}")

    def schedule(self, cron: str, batch: Mapping[str, Any], timezone: str = "UTC", name: str = "") -> str:
        """Repeats a batch by a cron rule; returns the schedule's id."""
        return self._create("/v1/schedules", {"cron": cron, "timezone": timezone, "name": name, "batch": dict(batch)})

    def schedules(self) -> list[Json]:
        """All schedules with their next due times."""
        return list(self._json("GET", "/v1/schedules")["items"])

    def runs(self, schedule_id: str) -> list[Json]:
        """The runs of a schedule, newest first."""
        return list(self._json("GET", f"/v1/schedules/{schedule_id}/runs")["items"])

    def remove_schedule(self, schedule_id: str) -> None:
        """Ends a schedule; what it started stays."""
        self._ask("DELETE", f"/v1/schedules/{schedule_id}")

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
        _check(answer)
        return answer

    def _stream(self, search_id: str, last: str) -> Iterator[Event]:
        headers = {"Last-Event-ID": last} if last else {}
        timeout = httpx.Timeout(60.0, connect=10.0)
        with self._http.stream("GET", f"/v1/searches/{search_id}/events", headers=headers, timeout=timeout) as answer:
            if answer.status_code != 200:
                answer.read()
                _check(answer)
                yield Event("", "end", "{}")
                return
            yield from read_events(answer.iter_lines())

    def _fetch(self, path: str, target: Path) -> None:
        try:
            with self._http.stream("GET", path) as answer, target.open("wb") as file:
                if answer.is_error:
                    answer.read()
                _check(answer)
                for chunk in answer.iter_bytes():
                    file.write(chunk)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: httpx.TransportError) -> ClientError:
        return ClientError(f"no service answers at {self._address} ({error}); start one with fitwright serve")


def _check(answer: httpx.Response) -> None:
    """Raises ClientError with what a refusal says."""
    if not answer.is_error:
        return
    try:
        problem = dict(answer.json())
    except ValueError:
        problem = {}
    problem.setdefault("status", answer.status_code)
    raise ClientError(str(problem.get("detail") or f"the service answered {answer.status_code}"), problem)


def _unpack(packed: Path, folder: Path) -> Path:
    """Unpacks a zip into a new folder; names that lead out of it are refused."""
    with zipfile.ZipFile(packed) as archive:
        for member in archive.infolist():
            name = PurePosixPath(member.filename)
            if name.is_absolute() or ".." in name.parts or "\\" in member.filename:
                raise ClientError(f"the bundle holds a file with the name {member.filename!r}; nothing was unpacked")
        folder.mkdir()
        for member in archive.infolist():
            path = folder / member.filename
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target)
    return folder

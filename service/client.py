"""The Python client: a running Fitwright service over REST."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import httpx

from service.client_calls import PAUSE_S, ClientError, Json, check_answer
from service.client_devices import DeviceCalls
from service.sse import Event, read_events

__all__ = ["Client", "ClientError"]

PATIENCE_S = 30.0
"""How long a stream that broke is tried for again."""


class Client(DeviceCalls):
    """A service by its address. Every method raises ClientError with the service's own explanation.

    >>> client = Client()
    >>> model = client.upload_model("m.fwm")
    >>> search = client.submit(model, "digits", {"latency": "0.5x"})
    >>> client.wait(search)["outcome"]
    'feasible'
    >>> client.download(search, "fitted")
    """

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

    def _stream(self, search_id: str, last: str) -> Iterator[Event]:
        headers = {"Last-Event-ID": last} if last else {}
        timeout = httpx.Timeout(60.0, connect=10.0)
        with self._http.stream("GET", f"/v1/searches/{search_id}/events", headers=headers, timeout=timeout) as answer:
            if answer.status_code != 200:
                answer.read()
                check_answer(answer)
                yield Event("", "end", "{}")
                return
            yield from read_events(answer.iter_lines())

    def _fetch(self, path: str, target: Path) -> None:
        try:
            with self._http.stream("GET", path) as answer, target.open("wb") as file:
                if answer.is_error:
                    answer.read()
                check_answer(answer)
                for chunk in answer.iter_bytes():
                    file.write(chunk)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error


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

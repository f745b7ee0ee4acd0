"""The part of the Python client that is about devices: own ones, their tables, profile jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from service.client_calls import PAUSE_S, Calls, ClientError, Json

OVER = ("succeeded", "failed", "cancelled")


class DeviceCalls(Calls):
    """Devices at a service by its address."""

    def devices(self) -> list[Json]:
        """All devices: the catalogue's, then own ones, with what was measured of each."""
        return list(self._json("GET", "/v1/devices")["items"])

    def device(self, device_id: str) -> Json:
        """A device with what its tables hold; settings may stand in its id (`local-onnxruntime@batch=8`)."""
        return self._json("GET", f"/v1/devices/{quote(device_id)}")

    def add_device(self, document: Mapping[str, Any]) -> Json:
        """Adds an own device and returns it; `agent_key` in it is told this once, for devices that agents serve."""
        made: Json = self._ask("POST", "/v1/devices", json=dict(document)).json()
        return made

    def remove_device(self, device_id: str) -> None:
        """Removes an own device with its tables."""
        self._ask("DELETE", f"/v1/devices/{quote(device_id)}")

    def table(self, device_id: str, key: str | None = None) -> Json:
        """A table of a device, the newest by default: `header`, `rows`, `about`."""
        found: Json = self._table(device_id, key).json()
        return found

    def table_csv(self, device_id: str, key: str | None = None) -> str:
        """The same as CSV."""
        return str(self._table(device_id, key, format="csv").text)

    def import_table(self, device_id: str, path: Path | str) -> Json:
        """Imports a CSV or JSON table, whole or not at all; returns its `key` and the number of its `rows`."""
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ClientError(f"{path}: {error.strerror}") from error
        made: Json = self._ask("PUT", f"/v1/devices/{quote(device_id)}/table", content=content).json()
        return made

    def coverage(self, device_id: str, model_id: str) -> Json:
        """Which operators of a model the device's table lacks, by name (`missing`)."""
        path = f"/v1/devices/{quote(device_id)}/coverage"
        found: Json = self._ask("GET", path, params={"model": model_id}).json()
        return found

    def profile(self, device_id: str, networks: int | None = None, refresh: bool = False) -> str:
        """Starts a profile job and returns its id; see `wait_for_profile`."""
        return self._create("/v1/profile-jobs", {"device": device_id, "networks": networks, "refresh": refresh})

    def profile_job(self, job_id: str) -> Json:
        """A profile job as it stands."""
        return self._json("GET", f"/v1/profile-jobs/{job_id}")

    def profile_jobs(self) -> Iterator[Json]:
        """All profile jobs, newest first."""
        return self._pages("/v1/profile-jobs", "cursor")

    def wait_for_profile(self, job_id: str, on_progress: Callable[[Json], object] | None = None) -> Json:
        """Waits until a profile job is over and returns it; `on_progress` is called with its progress."""
        while True:
            job = self.profile_job(job_id)
            if on_progress is not None:
                on_progress(job["progress"])
            if job["state"] in OVER:
                return job
            time.sleep(PAUSE_S)

    def cancel_profile(self, job_id: str) -> Json:
        """Asks for a profile job to be stopped; what it has measured stays."""
        return self._json("POST", f"/v1/profile-jobs/{job_id}:cancel")

    def _table(self, device_id: str, key: str | None, **more: str) -> Any:
        parameters = more | ({"table": key} if key else {})
        return self._ask("GET", f"/v1/devices/{quote(device_id)}/table", params=parameters)

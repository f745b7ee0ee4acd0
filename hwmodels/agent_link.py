"""Link: what an agent asks of its service, over HTTP, with nothing beside the standard library."""

from __future__ import annotations

import http.client
import io
import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from hwmodels.agent_protocol import JOB, LEASE, MEDIA_TYPE, TOKEN, BadFrame, read_frame
from hwmodels.base import HardwareModelError
from hwmodels.profilers.frames import pack

ANSWER_S, CARRY_S = 30.0, 300.0
"""How long a short request may take, and one that carries a frame."""


class Away(HardwareModelError):
    """The service doesn't answer at the moment; it may be back soon."""


class Refused(HardwareModelError):
    """The service answered that it won't; `status` is the HTTP status."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Job:
    """A request to the measuring process, and what its reply is to be sent with."""

    id: str
    agent: str
    token: str
    lease_s: float
    header: dict[str, Any]
    blobs: list[bytes]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The key is for this service alone."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Link:
    """A service by its address, and the key of a device. Everything raises Away and Refused."""

    def __init__(self, address: str, key: str) -> None:
        """Raises Refused for what is no address, and for a key that no header can hold."""
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refused(f"--server {address!r} is no address of a service; try http://127.0.0.1:8077")
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise Refused("--key is empty or holds letters that no key has: copy it as it was shown")
        self.address = address.rstrip("/")
        self._key = key
        self._opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))

    def register(self, device: str, about: Mapping[str, Any]) -> dict[str, Any]:
        """Comes to serve a device; the answer has the agent's `id`."""
        body = json.dumps(dict(about)).encode()
        path, kind = f"/v1/devices/{quote(device, safe='')}/agents", {"Content-Type": "application/json"}
        answer, _ = self._ask("POST", path, [body], kind)
        try:
            found = json.loads(answer)
            return {"id": str(found["id"]), "reply_bytes": int(found["reply_bytes"])}
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(f"what answers at {self.address} is no Fitwright service of this version") from error

    def claim(self, agent: str, wait_s: float) -> Job | None:
        """The next job, waited for on the service's side; None where there is none yet."""
        frame, about = self._ask("POST", f"/v1/agents/{agent}/claim?wait_s={wait_s:g}", timeout_s=wait_s + CARRY_S)
        if not frame:
            return None
        try:
            header, blobs = read_frame(io.BytesIO(frame), len(frame))
            return Job(str(about[JOB]), agent, str(about[TOKEN]), float(about[LEASE]), header, blobs)
        except (BadFrame, TypeError, ValueError) as error:
            raise Away(f"{self.address} sent what is no job ({error})") from error

    def renew(self, job: Job) -> None:
        """Holds on to a job. Refused says that it isn't this agent's any more."""
        self._ask("POST", f"/v1/agents/{job.agent}/jobs/{job.id}/renew", headers={TOKEN: job.token})

    def answer(self, job: Job, header: dict[str, Any], blobs: Sequence[bytes]) -> None:
        """Sends the reply to a job."""
        headers = {TOKEN: job.token, "Content-Type": MEDIA_TYPE}
        self._ask("PUT", f"/v1/agents/{job.agent}/jobs/{job.id}", pack(header, blobs), headers, CARRY_S)

    def release(self, job: Job) -> None:
        """Gives a job back."""
        self._ask("POST", f"/v1/agents/{job.agent}/jobs/{job.id}/release", headers={TOKEN: job.token})

    def _ask(
        self,
        method: str,
        path: str,
        body: Sequence[bytes] = (),
        headers: Mapping[str, str] | None = None,
        timeout_s: float = ANSWER_S,
    ) -> tuple[bytes, Mapping[str, str]]:
        length = {"Content-Length": str(sum(map(len, body)))}
        sent = {"Authorization": f"Bearer {self._key}", **length, **(headers or {})}
        pieces: Iterable[bytes] = body
        request = urllib.request.Request(self.address + path, data=pieces, headers=sent, method=method)
        try:
            with self._opener.open(request, timeout=timeout_s) as answer:
                return answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            raise _refusal(error, self.address) from error
        except (OSError, http.client.HTTPException) as error:
            raise Away(f"{self.address} can't be reached ({getattr(error, 'reason', error) or 'no answer'})") from error


def _refusal(error: urllib.error.HTTPError, address: str) -> HardwareModelError:
    """What the service says in its problem document."""
    try:
        problem = json.loads(error.read(1 << 20))
        detail = str(problem["detail"])
    except (ValueError, KeyError, TypeError, OSError, http.client.HTTPException):
        detail = f"{address} answered {error.code} without a reason; is it a Fitwright service?"
    if error.code >= 500 or error.code == 429:
        return Away(f"{address} is in trouble ({detail})")
    return Refused(detail, error.code)

"""Keeps other sites and endless bodies out: the service is for this machine, whatever its browser is told to try."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import PROBLEMS
from service.problems import problem_response

LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_BYTES = 2 * 2**20
"""Largest request body that is no upload."""


class Guard:
    """Refuses what names another host (DNS rebinding), changes asked for by another site's page, and long bodies.

    A multipart form, which is what uploads come in, may have `upload_bytes`, and so may an agent's reply; any other
    body BODY_BYTES.
    """

    def __init__(self, app: ASGIApp, host: str, upload_bytes: int) -> None:
        self._app, self._hosts, self._upload_bytes = app, LOCAL | {host}, upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self._upload_bytes if _is_upload(scope, headers) else BODY_BYTES
        refusal = self._refusal(scope["method"], headers, limit)
        if refusal is not None:
            await refusal(scope, receive, send)
        else:
            await self._app(scope, _limited(receive, limit), send)

    def _refusal(self, method: str, headers: Headers, limit: int) -> ASGIApp | None:
        host, origin, length = headers.get("host", ""), headers.get("origin"), headers.get("content-length", "")
        if _name(host) not in self._hosts:
            problem = PROBLEMS["wrong-host"]
            return problem_response(problem, f"this service isn't {host[:200]}. {problem.remedy}")
        if method not in SAFE and origin is not None and urlsplit(origin).netloc != host:
            return problem_response(PROBLEMS["cross-origin"], f"pages of {origin[:200]} can't change anything here")
        if length.isdecimal() and int(length) > limit:
            return problem_response(PROBLEMS["too-large"], _too_large(limit))
        return None


def _is_upload(scope: Scope, headers: Headers) -> bool:
    form = headers.get("content-type", "").startswith("multipart/form-data")
    table = scope["path"].startswith("/v1/devices/") and scope["path"].endswith("/table")
    return form or (scope["method"] == "PUT" and (table or scope["path"].startswith("/v1/agents/")))


def _limited(receive: Receive, limit: int) -> Receive:
    """The same body, for as long as it keeps the limit: one that came without its length is counted."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise HTTPException(413, _too_large(limit))
        return message

    return counted


def _too_large(limit: int) -> str:
    return f"the body is larger than {limit:,} bytes. {PROBLEMS['too-large'].remedy}"


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None

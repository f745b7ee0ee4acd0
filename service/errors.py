"""What can go wrong, and the one table that says which HTTP status it is."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with a request: at `pointer` in the body (RFC 6901, as a URI fragment), or in a `parameter`."""

    pointer: str
    detail: str
    parameter: str = ""


class ServiceError(Exception):
    """The service could not do what was asked."""


class InvalidRequest(ServiceError):
    """The request can't be carried out as it is; `errors` names each thing wrong with it."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(error.detail for error in errors))
        self.errors = tuple(errors)


class Conflict(ServiceError):
    """The request doesn't fit the state that things are in."""


class NotHere(ServiceError):
    """There is nothing at this address."""


class Unauthorized(ServiceError):
    """Whoever asks hasn't shown the key that this takes."""


class CrossOrigin(ServiceError):
    """A page of another site tried to change something here."""


@dataclass(frozen=True)
class Problem:
    """A kind of error as RFC 9457 tells it: status, title, and what to do about it."""

    slug: str
    status: int
    title: str
    remedy: str


PROBLEMS: dict[str, Problem] = {
    problem.slug: problem
    for problem in (
        Problem("malformed", 400, "The request can't be read", "Send what /openapi.json describes."),
        Problem("wrong-host", 400, "The request names another host", "Use 127.0.0.1 or localhost in the address."),
        Problem(
            "unauthorized", 401, "The key is missing or wrong", "Send the device's key: Authorization: Bearer KEY."
        ),
        Problem("cross-origin", 403, "The request came from another site", "Send it from this service's own pages."),
        Problem("not-found", 404, "There is no such thing", "Check the id; the lists under /v1 have all of them."),
        Problem("method-not-allowed", 405, "The address doesn't take this method", "See Allow in the reply."),
        Problem("conflict", 409, "It doesn't fit the present state", "Read the present state first."),
        Problem("too-large", 413, "The upload is too large", "Raise FITWRIGHT_UPLOAD_LIMIT_BYTES, or send less."),
        Problem("invalid", 422, "The request can't be carried out as it is", "Change what `errors` points at."),
        Problem("internal", 500, "Something went wrong here", "It was logged; the request may be tried again."),
        Problem("busy", 503, "The database doesn't answer", "Try again after the seconds in Retry-After."),
        Problem("disk-full", 507, "The disk is full", "Free space in FITWRIGHT_HOME and try again."),
    )
}
"""Every problem type there is, by the last part of its `type`."""

STATUS: dict[tuple[str, str], str] = {
    ("service.errors", "InvalidRequest"): "invalid",
    ("service.errors", "Conflict"): "conflict",
    ("service.errors", "NotHere"): "not-found",
    ("service.errors", "Unauthorized"): "unauthorized",
    ("service.errors", "CrossOrigin"): "cross-origin",
    ("db.base", "NotFound"): "not-found",
    ("search.problem", "SearchError"): "invalid",
    ("methods.base", "MethodError"): "invalid",
    ("methods.graph.ir", "GraphError"): "invalid",
    ("hwmodels.base", "HardwareModelError"): "invalid",
    ("sqlalchemy.exc", "OperationalError"): "busy",
    ("sqlalchemy.exc", "InternalError"): "busy",
    ("sqlalchemy.exc", "InterfaceError"): "busy",
    ("sqlalchemy.exc", "TimeoutError"): "busy",
}
"""Error family (module, class) -> problem. By name, so that naming a family doesn't load what it belongs to."""

TOLD = frozenset(
    {
        ("search.problem", "SearchError"),
        ("methods.base", "MethodError"),
        ("methods.graph.ir", "GraphError"),
        ("hwmodels.base", "HardwareModelError"),
        ("service.errors", "ServiceError"),
        ("db.base", "NotFound"),
    }
)
"""Families whose message is meant for the user."""


def problem_of(error: BaseException) -> Problem:
    """The problem that an error is told as; what no row names is `internal`."""
    if is_disk_full(error):
        return PROBLEMS["disk-full"]
    slugs = (STATUS[name] for name in _families(error) if name in STATUS)
    return PROBLEMS[next(slugs, "internal")]


def is_told(error: BaseException) -> bool:
    """Whether the message says something to the user; otherwise it is for the log alone."""
    return any(name in TOLD for name in _families(error))


def is_disk_full(error: BaseException) -> bool:
    """Whether the error is that no byte more can be written, from the system or from the database."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return "database or disk is full" in str(error) or "No space left on device" in str(error)


def _families(error: BaseException) -> list[tuple[str, str]]:
    return [(kind.__module__, kind.__qualname__) for kind in type(error).__mro__]

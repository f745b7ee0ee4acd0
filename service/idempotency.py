"""Carries out a request with an Idempotency-Key once, however often it's sent."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from db import idempotency
from service.errors import FieldError, InvalidRequest
from service.records import fingerprint


def once(session: Session, key: str | None, route: str, request: object, make: Callable[[], str]) -> str:
    """The id that `make` returns, or the one that it returned when this key was first used.

    Raises:
        InvalidRequest: the key was used for a different request.
    """
    if key is None:
        return make()
    body = fingerprint([route, request])
    known = idempotency.find(session, key)
    if known is None:
        made = make()
        idempotency.keep(session, key, body, {"id": made})
        return made
    if known.body != body:
        fault = "this key was used for a different request in the last 24 hours; take a new one"
        raise InvalidRequest([FieldError("", fault, "Idempotency-Key")])
    return str(known.reply["id"])

"""Every refusal as application/problem+json (RFC 9457), from whatever was raised."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import TimeoutError
from starlette.exceptions import HTTPException

from db.base import DatabaseError
from db.database import UNAVAILABLE
from hwmodels.base import HardwareModelError
from methods.base import MethodError
from methods.graph.ir import GraphError
from search.problem import SearchError
from service.errors import PROBLEMS, FieldError, InvalidRequest, Problem, ServiceError, is_told, problem_of
from service.refusals import field_errors

MEDIA_TYPE = "application/problem+json"
HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "2"}}
"""What goes with a status."""
FAMILIES: tuple[type[Exception], ...] = (
    ServiceError,
    DatabaseError,
    SearchError,
    MethodError,
    GraphError,
    HardwareModelError,
    *UNAVAILABLE,
    TimeoutError,
    OSError,
    Exception,
)
BY_STATUS = {problem.status: problem for problem in reversed(PROBLEMS.values())}
log = logging.getLogger(__name__)


def add_problem_handlers(app: FastAPI) -> None:
    """Makes the app answer every error with a problem."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    for family in FAMILIES:
        app.add_exception_handler(family, _raised)


def problem_response(problem: Problem, detail: str, errors: tuple[FieldError, ...] = ()) -> JSONResponse:
    """A problem document; `errors` has a `pointer` into the body, or the name of a `parameter`."""
    document: dict[str, Any] = {
        "type": f"/v1/problems/{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "errors": [
            {"parameter": e.parameter, "detail": e.detail}
            if e.parameter
            else {"pointer": e.pointer, "detail": e.detail}
            for e in errors
        ],
    }
    return JSONResponse(document, problem.status, HEADERS.get(problem.status), MEDIA_TYPE)


def _raised(request: Request, error: Exception) -> Response:
    """Whatever a handler raised; what isn't meant for users is logged and told as nothing but that it happened."""
    problem = problem_of(error)
    if problem.slug == "internal":
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    detail = str(error) if is_told(error) else problem.remedy
    return problem_response(problem, detail, error.errors if isinstance(error, InvalidRequest) else ())


def _http(_request: Request, error: Exception) -> Response:
    """What the router and the framework refuse: unknown paths and methods, bodies that are too large or cut off."""
    assert isinstance(error, HTTPException)
    if error.status_code < 400:
        return Response(status_code=error.status_code, headers=error.headers)
    problem = BY_STATUS.get(error.status_code) or PROBLEMS["malformed" if error.status_code < 500 else "internal"]
    response = problem_response(problem, problem.remedy if error.status_code in (404, 405) else str(error.detail))
    response.headers.update(error.headers or {})
    return response


def _validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    body = [e for e in error.errors() if e["loc"][:1] == ("body",)]
    elsewhere = [e for e in error.errors() if e["loc"][:1] != ("body",)]
    faults = field_errors(body, "body")
    faults += [FieldError("", e["msg"], str(e["loc"][-1])) for e in elsewhere]
    detail = "; ".join(f"{fault.parameter or fault.pointer}: {fault.detail}" for fault in faults[:5])
    return problem_response(PROBLEMS["invalid"], detail, tuple(faults))

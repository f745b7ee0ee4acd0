"""The pages: server-rendered, whole without script; the one script only keeps them fresh."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Form, Header, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from plotly.offline import get_plotlyjs

from db import models
from db.base import NotFound
from db.ids import is_id
from search.report import packed_plotly
from service.dashboard.device_pages import ask_for_profile, device_context, devices_context, live_job
from service.dashboard.forms import SearchForm, Sent, form_context, submit
from service.dashboard.list_pages import batch_context, home_context, schedules_context
from service.dashboard.model_pages import model_context, models_context, upload
from service.dashboard.render import HEADERS, page, static_files
from service.dashboard.search_page import search_context
from service.dependencies import Here, checked_id
from service.errors import NotHere, ServiceError, problem_of
from service.hardware import device_here
from service.lifecycle import cancel
from service.profiling import cancel_job

TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
"""Pages name files with a hash of their content, so that they may be kept as long as one likes."""


class PageRoute(APIRoute):
    """A route whose errors are pages too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def with_error_pages(request: Request) -> Response:
            try:
                return await handle(request)
            except (ServiceError, NotFound) as error:
                problem = problem_of(error)
                return page("problem.html", problem.status, title=problem.title, detail=str(error))
            except RequestValidationError:
                problem_text = "A part of this address isn't what it should be."
                return page("problem.html", 422, title="The address can't be read", detail=problem_text)

        return with_error_pages


router = APIRouter(route_class=PageRoute, include_in_schema=False, default_response_class=Response)


@router.get("/")
def home(here: Here, request: Request, before: str | None = None) -> Response:
    """What runs, what finished, what failed and why."""
    known = before if before is not None and is_id(before, "srh") else None
    with here.database.read() as session:
        context = home_context(session, known, time.time())
    return page("home.html", here="/", base=str(request.base_url).rstrip("/"), **context)


@router.get("/searches/new")
def new_search(here: Here, model: str = "", dataset: str = "", device: str = "") -> Response:
    """The form."""
    with here.database.read() as session:
        given = {"model": model, "dataset": dataset} | ({"device": device} if device else {})
        context = form_context(session, Sent(SearchForm(**given).values))
    return page("new.html", here="/searches/new", **context)


@router.post("/searches/new")
def start_search(here: Here, form: Annotated[SearchForm, Form(media_type="multipart/form-data")]) -> Response:
    """Starts a search, or shows the form again with what was wrong."""
    made = submit(here, form)
    if isinstance(made, str):
        return RedirectResponse(f"/searches/{made}", 303, HEADERS)
    with here.database.read() as session:
        context = form_context(session, made)
    return page("new.html", 422, here="/searches/new", **context)


@router.get("/searches/{search_id}")
def show_search(here: Here, search_id: str, x: str = "", trial: int | None = None) -> Response:
    """Progress, front, trials, and at the end the result."""
    with here.database.read() as session:
        context = search_context(session, checked_id(search_id, "srh", "search"), x, trial, time.time())
    return page("search.html", here="", **context)


@router.post("/searches/{search_id}/cancel")
def cancel_search(here: Here, search_id: str) -> Response:
    """Cancels and goes back to the search."""
    with here.database.write() as session:
        cancel(session, checked_id(search_id, "srh", "search"))
    return RedirectResponse(f"/searches/{search_id}", 303, HEADERS)


@router.get("/models")
def show_models(here: Here, before: str | None = None) -> Response:
    """What is here, and a form for another one."""
    known = before if before is not None and is_id(before, "mdl") else None
    with here.database.read() as session:
        return page("models.html", here="/models", **models_context(session, time.time(), known))


@router.post("/models")
def upload_model(here: Here, model_file: UploadFile | None = None) -> Response:
    """Keeps a model and shows what it offers, or the form again with what was wrong."""
    model_id, error = upload(here, model_file)
    if model_id:
        return RedirectResponse(f"/models/{model_id}", 303, HEADERS)
    with here.database.read() as session:
        return page("models.html", 422, here="/models", **models_context(session, time.time(), None, error))


@router.get("/models/{model_id}")
def show_model(here: Here, model_id: str, dataset: str = "") -> Response:
    """What a model offers to a search, and which importance suits it on a data set."""
    with here.database.read() as session:
        row = models.get(session, checked_id(model_id, "mdl", "model"))
    return page("model.html", here="/models", **model_context(here, row, time.time(), dataset))


@router.get("/devices")
def show_devices(here: Here) -> Response:
    """The catalogue, with the source of every figure."""
    with here.database.read() as session:
        return page("devices.html", here="/devices", **devices_context(session))


@router.get("/devices/{device_id}")
def show_device(here: Here, device_id: str) -> Response:
    """What a device is, what its tables hold, and how to measure more."""
    with here.database.read() as session:
        context = device_context(session, device_here(session, device_id), time.time())
    return page("device.html", here="/devices", **context)


@router.post("/devices/{device_id}/profile")
def profile_device(
    here: Here, device_id: str, networks: Annotated[str, Form()] = "", refresh: Annotated[str, Form()] = ""
) -> Response:
    """Starts a profile job and goes back to the device, or shows it with what was wrong."""
    with here.database.write() as session:
        error = ask_for_profile(session, device_id, networks, bool(refresh))
    if not error:
        return RedirectResponse(f"/devices/{device_id}", 303, HEADERS)
    with here.database.read() as session:
        context = device_context(session, device_here(session, device_id), time.time(), error)
    return page("device.html", 422, here="/devices", **context)


@router.post("/devices/{device_id}/cancel")
def cancel_profile(here: Here, device_id: str) -> Response:
    """Cancels the device's profile job, if one isn't over, and goes back to the device."""
    with here.database.write() as session:
        job = live_job(session, device_id)
        if job is not None:
            cancel_job(session, job)
    return RedirectResponse(f"/devices/{device_id}", 303, HEADERS)


@router.get("/batches/{batch_id}")
def show_batch(here: Here, batch_id: str) -> Response:
    """The searches of a batch beside those of the run before."""
    with here.database.read() as session:
        context = batch_context(session, checked_id(batch_id, "bat", "batch"), time.time())
    return page("batch.html", here="/schedules", **context)


@router.get("/schedules")
def show_schedules(here: Here) -> Response:
    """What is repeated, and what came of it."""
    with here.database.read() as session:
        return page("schedules.html", here="/schedules", **schedules_context(session, time.time()))


@router.get("/static/plotly.min.js")
def plotly_script(accept_encoding: Annotated[str, Header()] = "") -> Response:
    """Plotly's own script from its installed package."""
    if "gzip" not in accept_encoding:
        return Response(get_plotlyjs(), headers=FOREVER, media_type=TYPES["js"])
    headers = FOREVER | {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(packed_plotly(), headers=headers, media_type=TYPES["js"])


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Styles, scripts and the icon."""
    content = static_files().get(name)
    if content is None:
        raise NotHere(f"there is no file {name[:100]!r}")
    return Response(content, headers=FOREVER, media_type=TYPES[name.rpartition(".")[2]])

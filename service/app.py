"""Builds the web application; nothing else."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from service.api_docs import add_api_docs
from service.dashboard.routes import router as pages
from service.endpoints import (
    agents,
    artifacts,
    batches,
    catalogue,
    datasets,
    devices,
    events,
    health,
    models,
    profile_jobs,
    schedules,
    searches,
)
from service.executors.choice import Executor, make_executor
from service.guard import Guard
from service.problems import MEDIA_TYPE, add_problem_handlers
from service.scheduler import Scheduler
from service.settings import Settings, load_settings
from service.workspace import Workspace

PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}


def create_app(settings: Settings | None = None, executor: Executor | None = None) -> FastAPI:
    """The service over its settings. Raises DatabaseError where the database can't be used.

    `executor` runs the workers; by default the one that the settings name.
    """
    settings = settings or load_settings()
    app = FastAPI(
        title="Fitwright",
        summary="Fits a trained network to a device: the most accurate compressed model that keeps your budget.",
        version=version("fitwright"),
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        responses={"default": {"description": "A problem", "content": {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}}},
    )
    app.state.workspace = Workspace(settings)
    app.state.stopping = threading.Event()
    app.state.executor = executor or make_executor(settings)
    app.add_middleware(Guard, host=settings.host, upload_bytes=settings.upload_limit_bytes)
    add_problem_handlers(app)
    add_api_docs(app)
    for part in (
        models,
        datasets,
        catalogue,
        devices,
        agents,
        profile_jobs,
        searches,
        events,
        artifacts,
        batches,
        schedules,
        health,
    ):
        app.include_router(part.router)
    app.include_router(pages)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Workers and scheduler run as long as the service does."""
    workspace: Workspace = app.state.workspace
    executor: Executor = app.state.executor
    scheduler = Scheduler(workspace.database) if workspace.settings.scheduler else None
    executor.start()
    if scheduler is not None:
        scheduler.start()
    try:
        yield
    finally:
        if scheduler is not None:
            scheduler.stop()
        executor.stop()
        workspace.close()

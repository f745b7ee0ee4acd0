"""Checks requests against the catalogues and the tables; every fault is named, with a pointer to it."""

from __future__ import annotations

import difflib
import time
from collections.abc import Collection, Iterable

from sqlalchemy.orm import Session

from db.datasets import DatasetRow
from db.ids import is_id
from db.models import ModelRow
from hwmodels.catalogue import UnknownDevice
from hwmodels.settings import BadSetting
from methods.base import MethodError
from methods.catalogue import METHODS, check_order
from methods.published.catalogue import PUBLISHED
from methods.recovery.catalogue import schedule_of
from search.catalogue import STRATEGIES
from search.data import BUILTIN
from search.datasets.builtin import missing
from search.limits import BadLimit, parse_limit, parse_limits
from service.due import BadRule, next_due
from service.errors import FieldError, InvalidRequest
from service.hardware import find_device
from service.schemas import (
    MAX_BATCH,
    BatchRequest,
    Effort,
    RecipeBody,
    ScheduleRequest,
    SearchRequest,
    TrainingBody,
)


def check_search(session: Session, request: SearchRequest) -> None:
    """Raises InvalidRequest with every fault there is."""
    faults = [
        *_model(session, request.model, "#/model"),
        *_dataset(session, request.dataset, "#/dataset"),
        *device_faults(session, request.device, "#/device"),
        *_limits(request.limits, "#/limits"),
        *_effort(request),
        *_recipe(request.recipe),
    ]
    _raise(faults)


def check_batch(session: Session, request: BatchRequest, at: str = "#") -> None:
    """The same for a batch; `at` points to where it stands in the body."""
    faults = list(_effort(request, at))
    for index, model in enumerate(request.models):
        faults += _model(session, model, f"{at}/models/{index}")
    for index, dataset in enumerate(request.datasets):
        faults += _dataset(session, dataset, f"{at}/datasets/{index}")
    for index, device in enumerate(request.devices):
        faults += device_faults(session, device, f"{at}/devices/{index}")
    for index, limits in enumerate(request.budgets):
        faults += _limits(limits, f"{at}/budgets/{index}")
    size = len(request.models) * len(request.datasets) * len(request.devices) * len(request.budgets)
    if size > MAX_BATCH:
        faults.append(FieldError(at, f"that makes {size} searches; a batch has at most {MAX_BATCH}"))
    _raise(faults)


def check_schedule(session: Session, request: ScheduleRequest) -> None:
    """The same for a schedule: its rule, its time zone, its batch."""
    faults = []
    try:
        next_due(request.cron, request.timezone, time.time())
    except BadRule as error:
        faults.append(FieldError(f"#/{error.field}", str(error)))
    _raise(faults)
    check_batch(session, request.batch, "#/batch")


def _model(session: Session, model: str, at: str) -> Iterable[FieldError]:
    if not is_id(model, "mdl") or session.get(ModelRow, model) is None:
        yield FieldError(at, f"there is no model {model!r}; upload it with POST /v1/models")


def _dataset(session: Session, dataset: str, at: str) -> Iterable[FieldError]:
    if dataset not in BUILTIN and (not is_id(dataset, "dat") or session.get(DatasetRow, dataset) is None):
        names = ", ".join(BUILTIN)
        yield FieldError(at, f"there is no data set {dataset!r}; use {names}, or upload one with POST /v1/datasets")
    elif dataset in BUILTIN and (reason := missing(dataset)):
        yield FieldError(at, f"{dataset}: {reason}")


def device_faults(session: Session, device: str, at: str) -> Iterable[FieldError]:
    """What is wrong with the id of a device, or with the settings in it."""
    try:
        find_device(session, device)
    except (UnknownDevice, BadSetting) as error:
        yield FieldError(at, str(error))


def _effort(request: Effort, at: str = "#") -> Iterable[FieldError]:
    yield from _known("strategy", request.strategy, STRATEGIES, f"{at}/strategy")
    for index, method in enumerate(request.methods or ()):
        yield from _known("method", method, METHODS, f"{at}/methods/{index}")
    yield from _training(request.training, f"{at}/training")


def _recipe(recipe: RecipeBody | None) -> Iterable[FieldError]:
    """What can be said of a recipe before its model is read; sites are checked when it is carried out."""
    if recipe is None:
        return
    for index, step in enumerate(recipe.steps):
        yield from _known("method", step.method, [*METHODS, *PUBLISHED], f"#/recipe/steps/{index}/method")
    names = [step.method for step in recipe.steps if step.method in METHODS]
    try:
        check_order(names)
    except MethodError as error:
        yield FieldError("#/recipe/steps", str(error))
    yield from _training(recipe.training, "#/recipe/training")


def _training(training: TrainingBody | None, at: str) -> Iterable[FieldError]:
    try:
        schedule_of({name: value for name, value in (training or TrainingBody()).model_dump().items() if value})
    except MethodError as error:
        yield FieldError(at, str(error))


def _known(what: str, name: str, known: Collection[str], at: str) -> Iterable[FieldError]:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        yield FieldError(at, f"there is no {what} {name!r}; {hint}")


def _limits(limits: dict[str, str], at: str) -> Iterable[FieldError]:
    faults = []
    for metric, text in limits.items():
        try:
            parse_limit(metric, text)
        except BadLimit as error:
            faults.append(FieldError(f"{at}/{_escaped(metric)}", str(error)))
    if not faults:
        try:
            parse_limits(limits)
        except BadLimit as error:
            faults.append(FieldError(at, str(error)))
    return faults


def _escaped(name: str) -> str:
    """A name as part of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _raise(faults: list[FieldError]) -> None:
    if faults:
        raise InvalidRequest(faults)

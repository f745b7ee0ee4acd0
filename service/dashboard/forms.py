"""The form of a new search: from its text fields to a request, with every error beside its field."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from fastapi import UploadFile
from pydantic import BaseModel
from sqlalchemy.orm import Session

from db import datasets, models
from hwmodels.base import METRICS
from hwmodels.catalogue import DEVICES
from methods.graph.ir import GraphError
from search.amounts import TITLES
from search.catalogue import STRATEGIES
from search.data import BUILTIN, DataError
from search.limits import EXAMPLES
from service.datasets import add_dataset
from service.endpoints.uploads import label_of, on_disk
from service.errors import FieldError, InvalidRequest
from service.hardware import all_devices
from service.idempotency import once
from service.models import add_model
from service.records import fingerprint
from service.searches import create_search, read_request
from service.workspace import Workspace

LABELS = {
    "model_file": "Upload a model",
    "model": "Model",
    "dataset": "Data set",
    "dataset_file": "Upload data",
    "device": "Device",
    "limits": "Limits",
    "evaluations": "Evaluations",
    "seed": "Seed",
    "strategy": "Strategy",
    "name": "Name",
} | {f"limit_{metric}": TITLES[figure] for metric, figure in METRICS.items()}
LISTED = 100


class SearchForm(BaseModel):
    """The fields as a browser sends them: all text, but for the two files."""

    key: str = ""
    model: str = ""
    model_file: UploadFile | None = None
    dataset: str = ""
    dataset_file: UploadFile | None = None
    device: str = next(iter(DEVICES))
    limit_latency: str = ""
    limit_energy: str = ""
    limit_size: str = ""
    limit_memory: str = ""
    limit_macs: str = ""
    evaluations: str = "40"
    seed: str = "0"
    strategy: str = "plan"
    name: str = ""

    @property
    def values(self) -> dict[str, str]:
        """What is put back into the fields."""
        return {name: value for name, value in self.__dict__.items() if isinstance(value, str)}


@dataclass
class Sent:
    """A form that was sent: what to put back into it, and what was wrong by field."""

    values: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)


def submit(workspace: Workspace, form: SearchForm) -> str | Sent:
    """The id of the search that was started, or the form with its errors; an uploaded file is kept in either case."""
    sent = Sent(form.values)
    _keep_files(workspace, form, sent)
    document = _request(sent)
    if sent.errors:
        return sent
    try:
        request = read_request(document)
        key = fingerprint([form.key, document])  # sent twice, it is one search; changed, it is another
        with workspace.database.write() as session:
            return once(session, key, "form", document, lambda: create_search(session, request))
    except InvalidRequest as error:
        for fault in error.errors:
            sent.errors.setdefault(_field(fault), fault.detail)
        return sent


def form_context(session: Session, sent: Sent) -> dict[str, Any]:
    """What new.html needs."""
    values = {"key": secrets.token_hex(8)} | {k: v for k, v in sent.values.items() if k != "key" or v}
    uploaded = [
        (row.id, f"{row.name} ({row.facts['parameters']:,} parameters)") for row in models.page(session, LISTED)
    ]
    own = [(row.id, f"{row.name} ({row.facts['samples']:,} samples)") for row in datasets.page(session, LISTED)]
    return {
        "values": values,
        "errors": sent.errors,
        "labels": LABELS,
        "models": uploaded,
        "datasets": [*((name, f"{name} (built in)") for name in BUILTIN), *own],
        "devices": _devices(session, values.get("device", "")),
        "strategies": list(STRATEGIES),
        "limits": [
            {"name": f"limit_{metric}", "title": TITLES[figure], "example": EXAMPLES[metric]}
            for metric, figure in METRICS.items()
        ],
    }


def _devices(session: Session, chosen: str) -> list[tuple[str, str]]:
    """The catalogue's, own ones, and the chosen one, which may have settings in its name."""
    found = [(d.id, f"{d.id} – {d.title}") for d in all_devices(session).values()]
    return found if not chosen or chosen in dict(found) else [(chosen, chosen), *found]


def _keep_files(workspace: Workspace, form: SearchForm, sent: Sent) -> None:
    """Stores what was uploaded, and chooses it."""
    if form.model_file is not None and form.model_file.filename:
        try:
            with on_disk(form.model_file) as path:
                sent.values["model"] = add_model(workspace, path, label_of("", path))
        except GraphError as error:
            sent.errors["model_file"] = str(error)
    if form.dataset_file is not None and form.dataset_file.filename:
        try:
            with on_disk(form.dataset_file) as path:
                sent.values["dataset"] = add_dataset(workspace, path, label_of("", path))
        except DataError as error:
            sent.errors["dataset_file"] = str(error)


def _request(sent: Sent) -> dict[str, Any]:
    """The request that the fields make; empty ones that are needed are noted."""
    values, errors = sent.values, sent.errors
    if not values["model"] and "model_file" not in errors:
        errors["model_file"] = "choose a model, or upload one"
    if not values["dataset"] and "dataset_file" not in errors:
        errors["dataset"] = "choose a data set, or upload one"
    limits = {metric: values[f"limit_{metric}"].strip() for metric in METRICS}
    limits = {metric: text for metric, text in limits.items() if text}
    if not limits:
        errors["limits"] = "give at least one limit, such as 0.5x for the latency"
    numbers = {name: _number(name, sent) for name in ("evaluations", "seed")}
    texts = {name: values[name].strip() for name in ("model", "dataset", "device", "strategy", "name")}
    return texts | {"limits": limits} | numbers


def _number(name: str, sent: Sent) -> int:
    text = sent.values[name].strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return int(text)
    sent.errors[name] = f"write a whole number, such as {SearchForm.model_fields[name].default}"
    return 0


def _field(fault: FieldError) -> str:
    """The field of the form that a JSON pointer is about."""
    parts = fault.pointer.removeprefix("#/").split("/")
    if parts[0] == "limits" and len(parts) > 1 and f"limit_{parts[1]}" in LABELS:
        return f"limit_{parts[1]}"
    if parts[0] == "model":
        return "model_file"
    return parts[0] if parts[0] in LABELS else ""

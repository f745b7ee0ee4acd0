"""/v1/models"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response, UploadFile

from db import models
from db.base import Json
from service.comparing import importances
from service.dependencies import Here, Paged, checked_id, listed
from service.endpoints.uploads import label_of, on_disk
from service.inspecting import inspection
from service.models import add_model
from service.schemas import Name
from service.views import model_document

DatasetName = Annotated[
    str, Query(description="The id of an uploaded data set, or a built-in name.", examples=["digits"])
]

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.post("", status_code=201)
def upload_model(here: Here, response: Response, file: UploadFile, name: Annotated[Name, Form()] = "") -> Json:
    """Upload a model: a `.fwm` file, a `.pt2` of torch.export, or an `.onnx` file. Nothing in it is executed."""
    with on_disk(file) as path:
        model_id = add_model(here, path, label_of(name, path))
    response.headers["Location"] = f"/v1/models/{model_id}"
    return get_model(here, model_id)


@router.get("")
def list_models(here: Here, page: Paged, request: Request, response: Response) -> Json:
    """List models, newest first."""
    with here.database.read() as session:
        rows = models.page(session, page.limit, page.before("mdl"))
    return listed(page, rows, [model_document(row) for row in rows], request, response)


@router.get("/{model_id}")
def get_model(here: Here, model_id: str) -> Json:
    """Show one model."""
    with here.database.read() as session:
        return model_document(models.get(session, checked_id(model_id, "mdl", "model")))


@router.get("/{model_id}/inspection")
def inspect_model(here: Here, model_id: str) -> Json:
    """Show what a model offers to a search: how much of it can be pruned, what goes together, what stays and why.

    The first request looks into the model, which takes seconds; 409 says that it is still being done. `coverage` holds
    shares of MACs and parameters; `groups` have units that can each be removed from all layers that make and read them.
    """
    with here.database.read() as session:
        row = models.get(session, checked_id(model_id, "mdl", "model"))
    return inspection(here, row)


@router.get("/{model_id}/importances")
def rate_importances(here: Here, model_id: str, dataset: DatasetName) -> Json:
    """Show how well each importance foretells, on a data set, what removing units of a model does to its loss.

    At most sixty units, drawn by lot, are removed, each alone, for at most a minute; `spearman` and `kendall` are rank
    correlations of scores and rises of the loss. The first request for a pair takes as long as that; 409 says that it
    is still being done.
    """
    with here.database.read() as session:
        row = models.get(session, checked_id(model_id, "mdl", "model"))
    return importances(here, row, dataset)

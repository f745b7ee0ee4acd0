"""/v1/datasets"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response, UploadFile

from db import datasets
from db.base import Json
from service.catalogues import builtin_documents
from service.datasets import add_dataset
from service.dependencies import Here, Paged, checked_id, listed
from service.endpoints.uploads import label_of, on_disk
from service.schemas import Name
from service.views import dataset_document

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])


@router.post("", status_code=201)
def upload_dataset(here: Here, response: Response, file: UploadFile, name: Annotated[Name, Form()] = "") -> Json:
    """Upload data: an `.npz` with x and y (labels may be left out), or a zip with a folder of images per class."""
    with on_disk(file) as path:
        dataset_id = add_dataset(here, path, label_of(name, path))
    response.headers["Location"] = f"/v1/datasets/{dataset_id}"
    return get_dataset(here, dataset_id)


@router.get("")
def list_datasets(here: Here, page: Paged, request: Request, response: Response) -> Json:
    """List data sets, newest first, and beside them the built-in ones."""
    with here.database.read() as session:
        rows = datasets.page(session, page.limit, page.before("dat"))
    items = [dataset_document(row) for row in rows]
    return listed(page, rows, items, request, response) | {"builtin": builtin_documents()}


@router.get("/{dataset_id}")
def get_dataset(here: Here, dataset_id: str) -> Json:
    """Show one data set, uploaded or built-in."""
    for document in builtin_documents():
        if document["id"] == dataset_id:
            return document
    with here.database.read() as session:
        return dataset_document(datasets.get(session, checked_id(dataset_id, "dat", "data set")))

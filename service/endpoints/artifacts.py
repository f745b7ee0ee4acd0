"""/v1/searches/{id}/artifacts: the files of a bundle."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse

from db import artefacts, searches
from db.base import Json
from service.dependencies import Here, checked_id
from service.views import artefact_document

router = APIRouter(prefix="/v1/searches", tags=["searches"])


@router.get("/{search_id}/artifacts")
def list_artifacts(here: Here, search_id: str) -> Json:
    """List the files of the bundle with sizes and hashes; none before the search has succeeded."""
    with here.database.read() as session:
        searches.get(session, checked_id(search_id, "srh", "search"))
        return {"items": [artefact_document(row) for row in artefacts.of_search(session, search_id)]}


@router.get("/{search_id}/artifacts/{name:path}", response_class=FileResponse)
def download_artifact(here: Here, search_id: str, name: str) -> FileResponse:
    """Download one file, or all of them as `bundle.zip`."""
    with here.database.read() as session:
        row = artefacts.get(session, checked_id(search_id, "srh", "search"), name)
    headers = {"ETag": f'"{row.sha256}"', "X-Content-Type-Options": "nosniff"}
    label = name.rpartition("/")[2] if name != "bundle.zip" else f"{search_id}.zip"
    return FileResponse(
        here.blobs.path(row.sha256), headers=headers, media_type="application/octet-stream", filename=label
    )

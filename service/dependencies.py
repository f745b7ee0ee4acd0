"""What endpoints are given: the workspace, a page of a list, the client's key against doing things twice."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

from fastapi import Depends, Header, Query, Request, Response

from db.base import Json
from db.ids import is_id
from service.errors import FieldError, InvalidRequest, NotHere
from service.workspace import Workspace

MAX_PAGE = 200


def _workspace(request: Request) -> Workspace:
    found: Workspace = request.app.state.workspace
    return found


Here = Annotated[Workspace, Depends(_workspace)]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern="^[ -~]+$",
        description="Any text of your own; the same request sent again with it is carried out once.",
    ),
]


@dataclass(frozen=True)
class Page:
    """How much of a list is wanted, and from where on."""

    limit: int
    cursor: str | None

    def before(self, prefix: str) -> str | None:
        """The id that the page goes on from. Raises InvalidRequest."""
        if self.cursor is None:
            return None
        try:
            text = base64.urlsafe_b64decode(self.cursor.encode()).decode()
        except (binascii.Error, UnicodeError):
            text = ""
        if not is_id(text, prefix):
            fault = "this is no cursor of this list; take it from `next` of the page before"
            raise InvalidRequest([FieldError("", fault, "cursor")])
        return text


def _page(limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50, cursor: str | None = None) -> Page:
    return Page(limit, cursor)


Paged = Annotated[Page, Depends(_page)]


class _HasId(Protocol):
    id: str


def listed(page: Page, rows: Sequence[_HasId], items: list[Json], request: Request, response: Response) -> Json:
    """A page of a list: `items`, and the cursor of the `next` page if there may be one (in a Link header too)."""
    following = base64.urlsafe_b64encode(rows[-1].id.encode()).decode() if len(rows) == page.limit else None
    if following is not None:
        address = request.url.include_query_params(cursor=following, limit=page.limit)
        response.headers["Link"] = f'<{address}>; rel="next"'
    return {"items": items, "next": following}


def checked_id(text: str, prefix: str, what: str) -> str:
    """An id of this kind; what has another shape can't exist. Raises NotHere."""
    if not is_id(text, prefix):
        raise NotHere(f"there is no {what} {text[:100]!r}")
    return text

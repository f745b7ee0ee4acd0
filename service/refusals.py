"""From pydantic's errors to ours: where in the body (a JSON pointer), and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from service.errors import FieldError

WORDS = {
    "extra_forbidden": "there is no such field",
    "missing": "this field is needed",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "json_invalid": "the body isn't JSON",
}


def field_errors(errors: Iterable[Mapping[str, Any]], body: str = "") -> list[FieldError]:
    """One FieldError per place; `body` is the part of pydantic's path that stands for the body itself."""
    found: dict[str, FieldError] = {}
    for error in errors:
        path = [part for part in error["loc"] if part != "[key]"]
        place = _pointer(path[1:] if body and path[:1] == [body] else path, error["type"])
        found.setdefault(place, FieldError(place, _words(error)))
    return list(found.values())


def _pointer(path: list[Any], kind: str) -> str:
    """RFC 6901 as a URI fragment; a body that isn't JSON has no places in it."""
    if kind == "json_invalid":
        return "#"
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _words(error: Mapping[str, Any]) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    return WORDS.get(error["type"], message[:1].lower() + message[1:])

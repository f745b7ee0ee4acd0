"""What the service is asked: strict request bodies, with nothing in them that a database or a page can't hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from service.errors import FieldError, InvalidRequest

MAX_BATCH = 500
"""Searches in one batch."""


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("a text can't hold the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text can't hold half a character (a lone surrogate)") from None
    return text


def storable(document: dict[str, Any]) -> dict[str, Any]:
    """The same document, if a database can hold all texts in it; raises InvalidRequest otherwise."""
    for pointer, text in _texts(document, "#"):
        try:
            _storable(text)
        except ValueError as error:
            raise InvalidRequest([FieldError(pointer, str(error))]) from error
    return document


def _texts(part: Any, at: str) -> Iterator[tuple[str, str]]:
    if isinstance(part, str):
        yield at, part
    entries = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for name, value in entries:
        yield at, str(name)
        yield from _texts(value, f"{at}/{str(name).replace('~', '~0').replace('/', '~1')}")


def _limit_text(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError('a limit is written as text, such as "0.5x" or "200kB"')
    return value if isinstance(value, str) else str(value)[:80]


Text = Annotated[str, AfterValidator(_storable)]
Name = Annotated[str, StringConstraints(max_length=200), AfterValidator(_storable)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_storable)]
LimitText = Annotated[
    str,
    StringConstraints(max_length=80),
    AfterValidator(_storable),
    BeforeValidator(_limit_text),
    WithJsonSchema({"type": "string", "maxLength": 80, "examples": ["0.5x", "5 ms", "200kB"]}),
]
Limits = Annotated[dict[Word, LimitText], Field(min_length=1, max_length=16, examples=[{"latency": "0.5x"}])]


class Strict(BaseModel):
    """A body with no unknown names and no silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Choice = Annotated[float | int | str, Field(union_mode="smart")]
Setting = Annotated[float | int | str | bool, Field(union_mode="smart")]


class StepBody(Strict):
    """One step of a recipe: a method with its choices, or a published system."""

    method: Word = Field(description="A method or a published system; see GET /v1/methods.")
    choices: dict[Word, Choice] = Field(
        default_factory=dict, max_length=10_000, description="Site, or a pattern of sites, to what is chosen there."
    )
    settings: dict[Word, Setting] = Field(default_factory=dict, max_length=64)


class TrainingBody(Strict):
    """How finalists are trained into their forms."""

    schedule: Word | None = Field(None, description="See GET /v1/recoveries.", examples=["admm"])
    recovery: Word | None = Field(None, description="See GET /v1/recoveries.", examples=["distillation"])
    settings: dict[Word, Setting] = Field(default_factory=dict, max_length=64, examples=[{"temperature": 8.0}])


class RecipeBody(Strict):
    """Methods in order, each with its choices."""

    steps: list[StepBody] = Field(min_length=1, max_length=64)
    training: TrainingBody | None = None


class Effort(Strict):
    """How to search: the same for one search or many."""

    objective: Literal["accuracy"] = Field("accuracy", description="What is maximised within the limits.")
    evaluations: int = Field(40, ge=1, le=100_000, description="Recipes to evaluate for real.")
    seed: int = Field(0, ge=0, le=2**31 - 1)
    strategy: Word = Field("plan", description="See GET /v1/strategies.")
    methods: list[Word] | None = Field(None, min_length=1, max_length=64, description="Null: all. See GET /v1/methods.")
    training: TrainingBody | None = Field(None, description="How finalists are trained; null: one-shot, fine-tuning.")
    recovery_epochs: int | None = Field(None, ge=0, le=1000, description="Training of each finalist; null: as needed.")
    name: Name = ""


class SearchRequest(Effort):
    """One model, fitted to one device and one budget."""

    model: Word = Field(description="The id of an uploaded model.", examples=["mdl_0190..."])
    dataset: Word = Field(description="The id of an uploaded data set, or a built-in name.", examples=["mnist"])
    device: Word = Field(description="See GET /v1/devices.", examples=["local-onnxruntime"])
    limits: Limits = Field(description="At most this much latency, energy, size, memory, macs: absolute or a ratio.")
    recipe: RecipeBody | None = Field(None, description="Nothing is searched for: just this recipe is carried out.")


class BatchRequest(Effort):
    """Every model on every device within every budget, with every data set."""

    models: list[Word] = Field(min_length=1, max_length=MAX_BATCH)
    datasets: list[Word] = Field(min_length=1, max_length=MAX_BATCH)
    devices: list[Word] = Field(min_length=1, max_length=MAX_BATCH)
    budgets: list[Limits] = Field(min_length=1, max_length=MAX_BATCH)


class ScheduleRequest(Strict):
    """A batch that is repeated."""

    name: Name = ""
    cron: Word = Field(description="Minute, hour, day, month, weekday.", examples=["0 2 * * *"])
    timezone: Word = Field("UTC", description="An IANA time zone.", examples=["Europe/Paris"])
    batch: BatchRequest


class ProfileRequest(Strict):
    """A device whose table is to be measured, or checked."""

    device: Word = Field(description="See GET /v1/devices; settings may stand in it.", examples=["local-onnxruntime"])
    networks: int | None = Field(None, ge=3, le=1000, description="Size of the calibration set; null: the usual one.")
    refresh: bool = Field(False, description="Measure all of it again, in a new generation of the table.")

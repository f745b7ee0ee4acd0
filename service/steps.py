"""What the worker asks of `search.steps`; anything else with these verbs can stand in for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from db.base import Json
from search.devices import Hardware

OnRow = Callable[[Json], None]
OnMeasure = Callable[[Json], Json]
OnProgress = Callable[[str, int, int], None]


class Steps(Protocol):
    """A search in pieces, each of which may be killed and done again. All but the context is plain JSON."""

    def open_context(self, request: Json, model_path: Path, dataset: Path | str, hardware: Hardware) -> Any:
        """Model and data in memory, with the hardware of the search's device.

        The context's `request` is set anew for each search that it is used for; of a request, it remembers nothing
        but model, data, device, seed, methods and recovery.
        """

    def prepare(self, ctx: Any, sensitivities: list[Json], on_sensitivity: OnRow, on_progress: OnProgress) -> Json:
        """Reference, limits, preflight and sensitivities; those given are not measured again."""

    def next_recipes(self, prepared: Json, sensitivities: list[Json], trials: list[Json]) -> list[Json]:
        """The next batch of trials to evaluate; none when the search phase is over. Depends on nothing else."""

    def evaluate(self, ctx: Any, prepared: Json, trial: Json) -> Json:
        """The trial with its state, costs and quality."""

    def finalists(self, prepared: Json, trials: list[Json]) -> list[int]:
        """Numbers of the trials to finish."""

    def finish(self, ctx: Any, prepared: Json, trial: Json, folder: Path) -> Json:
        """Fine-tunes, exports, packs and measures one; makes `folder` whole or not at all."""

    def again(self, prepared: Json, trials: list[Json], results: list[Json]) -> Json | None:
        """Prepared anew for one more round, with limits tightened by what was measured; None when the search is over.
        Depends on nothing else."""

    def conclude(self, ctx: Any, prepared: Json, trials: list[Json], results: list[Json], folder: Path) -> Json:
        """Chooses, measures on the report split, makes the final bundle; the outcome document."""

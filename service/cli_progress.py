"""Progress of a search in a terminal: a bar, how far it is, the best so far, the time left."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from service.cli_show import err
from service.words import best, duration, phase_words

PLAIN_EVERY_S = 10.0
"""Where standard error is no terminal, a line at each change of phase and at most this often."""


class SearchProgress:
    """Takes the events of a search (`on_event`); a bar in a terminal, sparse lines elsewhere. Use it in `with`."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or err()
        self._best, self._phase, self._last = "", "", 0.0
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=32 if self._console.width >= 110 else 12),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}", style="dim", markup=False),
            TextColumn("{task.fields[best]}", markup=False),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("Starting", total=None, left="", best="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def on_event(self, kind: str, data: dict[str, Any]) -> None:
        """Shows one event; kinds that say nothing about progress are passed over."""
        if kind == "best":
            self._best = f"best: {best(data)}" if data else ""
            self._bar.update(self._task, best=self._best)
        if kind == "progress":
            self._show(data)

    def _show(self, data: dict[str, Any]) -> None:
        phase, done, total = str(data.get("phase") or ""), int(data.get("done") or 0), int(data.get("total") or 0)
        text = phase_words(phase)
        left = f"{duration(data['eta_s'])} left" if data.get("eta_s") else ""
        self._bar.update(self._task, description=text, completed=done, total=total or None, left=left)
        due = phase != self._phase or time.monotonic() - self._last > PLAIN_EVERY_S
        if not self._console.is_terminal and due:
            parts = [f"{text}: {done} of {total}" if total else text, left, self._best]
            self._console.print(Text(", ".join(part for part in parts if part)), soft_wrap=True)
            self._phase, self._last = phase, time.monotonic()

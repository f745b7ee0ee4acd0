"""Channel: the way to a measuring process, here or on another machine, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

Reply = tuple[dict[str, Any], list[bytes]]
"""A JSON header and raw bytes."""


class Channel(Protocol):
    """Carries requests to a process that has the runtime, one at a time."""

    @property
    def machine(self) -> str:
        """What tells the machine at the other end from others (`machine_key` there)."""

    def version(self, runtime: str) -> str:
        """The version of a runtime at the other end. Raises MissingRuntime where it isn't there."""

    def request(self, header: dict[str, Any], blobs: Sequence[bytes] = (), timeout_s: float = 120.0) -> Reply:
        """The answer to one request.

        Raises MeasurementFailed where the process crashed, hung or refused, UnsupportedOp where it says so.
        """

    def close(self) -> None:
        """Ends what can be ended; the next request starts it again."""

"""One file of the corpus, and the payloads that would show that it was executed."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECRET = b"canary-secret-5f0c2a9e8b7d4c6f1a3e0b9d8c7f6a5e4d3c2b1a09f8e7d6c5"[:48]
"""What the file beside the corpus holds that nothing in it may read: 12 float32 numbers."""


@dataclass(frozen=True)
class Case:
    """A file under its name; `refused` unless it is one that may as well turn out to be harmless."""

    name: str
    data: bytes = field(repr=False)
    refused: bool = True


@dataclass(frozen=True)
class Traps:
    """Where a payload would leave its mark, and the file that it would read."""

    canary: Path
    secret: Path

    @property
    def code(self) -> str:
        """Python, as one expression, that leaves the mark."""
        return f"__import__('os').system('touch {self.canary}')"

    def pickled(self, protocol: int = 4) -> bytes:
        """A pickle that leaves the mark."""
        return pickle.dumps(Payload(self.canary), protocol)


class Payload:
    """Unpickling it leaves the mark."""

    def __init__(self, canary: Path) -> None:
        self.canary = str(canary)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.canary}",)

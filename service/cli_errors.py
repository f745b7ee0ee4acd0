"""What the command line says when something goes wrong: one line, an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
import traceback

from service.errors import is_disk_full, is_told

FAILED, WRONG_USAGE, INFEASIBLE, INTERRUPTED = 1, 2, 3, 130


class CliError(Exception):
    """Something that the user can put right; `code` is the exit code."""

    def __init__(self, message: str, code: int = WRONG_USAGE) -> None:
        super().__init__(message)
        self.code = code


def explain(error: Exception) -> tuple[str, int]:
    """The line to print and the exit code for an error that reached the top.

    What a told error is about is what was given: a file, a request, a setting. A search that failed doesn't raise.
    """
    if os.environ.get("FITWRIGHT_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, CliError):
        return str(error), error.code
    client = getattr(sys.modules.get("service.client"), "ClientError", None)
    if client is not None and isinstance(error, client):
        return str(error), WRONG_USAGE if error.status == 422 else FAILED
    if is_disk_full(error):
        return "the disk is full; nothing half written was kept, so free some space and run the same again", FAILED
    if is_told(error):
        return str(error), WRONG_USAGE
    if isinstance(error, OSError):
        reason = error.strerror or _first_line(error)
        return f"{error.filename}: {reason}" if error.filename else reason, FAILED
    return f"unexpected {type(error).__name__}: {_first_line(error)} (FITWRIGHT_DEBUG=1 shows where)", FAILED


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "no message"

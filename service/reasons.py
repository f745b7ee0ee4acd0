"""Why work failed, in words for the user; what isn't meant for the user goes to the log."""

from __future__ import annotations

import logging
from pathlib import Path

from service.errors import is_disk_full, is_told

log = logging.getLogger(__name__)


def reason_of(error: Exception, what: str, home: Path) -> str:
    """One sentence. `what` names the work in the log; `home` is the folder that a full disk is told with."""
    if is_disk_full(error):
        return f"the disk is full: free space in {home} and start it again"
    if isinstance(error, MemoryError):
        return "there is not enough memory for this on this machine"
    if is_told(error):
        return str(error)
    log.error("%s failed", what, exc_info=error)
    return "internal: an unexpected error, which the service's log tells in full"

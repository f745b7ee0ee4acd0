"""Logging: one line per event on standard error."""

from __future__ import annotations

import logging


def set_up_logging(level: str) -> None:
    """Sends everything from `level` up to standard error; libraries only from warnings up."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    for name in ("service", "db", "search", "methods", "hwmodels"):
        logging.getLogger(name).setLevel(level.upper())

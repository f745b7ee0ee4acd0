"""Programs from outside that some tests need: asked for by name, and never missed in silence."""

from __future__ import annotations

import os

import pytest


def missing(program: str, package: str) -> None:
    """Skips the test with the remedy; with FITWRIGHT_TEST_ALL set (as in CI), fails it instead."""
    remedy = f"needs {program}; on Debian: apt-get install {package}"
    if os.environ.get("FITWRIGHT_TEST_ALL"):
        pytest.fail(remedy)
    pytest.skip(remedy)

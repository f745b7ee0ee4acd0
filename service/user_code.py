"""Runs a Python file of the user's own, on the user's machine, and takes a name from it."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from service.cli_errors import CliError


def find(target: str) -> tuple[Any, Path, str]:
    """What FILE.py:NAME names, with the file and the name; runs the file. Raises CliError with the user's own line."""
    path_text, _, name = target.rpartition(":")
    path = Path(path_text)
    if not name or not path_text:
        raise CliError(f"{target}: write FILE.py:NAME, such as my_model.py:make_model")
    if not path.is_file():
        raise CliError(f"{path}: there is no such file")
    found = getattr(_run_file(path), name, None)
    if found is None:
        raise CliError(f"{path} has no {name}")
    return found, path, name


def _run_file(path: Path) -> ModuleType:
    known = sys.modules.get(f"captured_{path.stem}")
    if known is not None and getattr(known, "__file__", None) == str(path.resolve()):
        return known  # the model and its example may share a file
    spec = importlib.util.spec_from_file_location(f"captured_{path.stem}", path.resolve())
    if spec is None or spec.loader is None:
        raise CliError(f"{path}: a Python file ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.resolve().parent))  # its neighbours may be imported, now or when NAME is called
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        raise CliError(f"{path} could not be run: {_where(error, path)}") from error
    return module


def call(function: Any, path: Path, name: str) -> Any:
    """What a function of the user's file returns. Raises CliError with the user's own line."""
    try:
        return function()
    except Exception as error:
        raise CliError(f"{name}() in {path} failed: {_where(error, path)}") from error


def _where(error: Exception, path: Path) -> str:
    """The error with the last line of the user's file that led to it."""
    lines = [
        f.lineno for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).resolve() == path.resolve()
    ]
    if isinstance(error, SyntaxError):
        lines = [error.lineno]
    at = f"line {lines[-1]}: " if lines else ""
    return f"{at}{type(error).__name__}: {error}"

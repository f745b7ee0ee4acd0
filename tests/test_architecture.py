"""Boundaries that a machine reads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("fitwright", "service", "search", "methods", "hwmodels", "db")
BANNED = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "onnx2torch", "torchvision"}
BANNED_CALLS = {"torch.load", "torch.save", "torch.export.load", "torch.hub.load", "eval", "exec", "onnx.hub.load"}


def sources() -> list[Path]:
    """Every source file of the product."""
    return [p for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py"))]


def test_import_contracts_are_kept() -> None:
    """The data goes one way, and only service knows the database."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def _calls(tree: ast.AST) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def _imports(tree: ast.AST) -> set[str]:
    names = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    return names | {(n.module or "").split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_is_ever_unpickled(path: Path) -> None:
    """No source file imports an unpickler or calls a loader that executes what it reads."""
    tree = ast.parse(path.read_text())
    assert not _imports(tree) & BANNED
    assert not _calls(tree) & BANNED_CALLS


@pytest.mark.parametrize("package", [p for p in PACKAGES if p != "fitwright"])
def test_packages_are_empty_at_the_top(package: str) -> None:
    """`__init__` files hold nothing, so importing one module doesn't import them all."""
    filled = [p for p in (ROOT / package).rglob("__init__.py") if p.read_text().strip()]
    assert filled == []


def test_files_keep_one_idea() -> None:
    """No source file grows past 300 lines."""
    assert {str(p): n for p in sources() if (n := len(p.read_text().splitlines())) > 300} == {}

"""Boundaries that a machine reads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unsafe import faults

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("fitwright", "service", "search", "methods", "hwmodels", "db")
UNSAFE = (
    "import pickle",
    "from pickle import loads as innocent",
    "import torch as t\nt.load(path)",
    "from torch import load\nload(path)",
    "import torch\nreader = torch.load",
    "from torch.export import load as get\nget(path)",
    "import torch\ntorch.jit.load(path)",
    "import torch.utils\ntorch.hub.load('a', 'b')",
    "import numpy as np\nnp.load(path)",
    "import numpy as np\nnp.load(path, allow_pickle=True)",
    "import onnx\nonnx.load(path)",
    "from onnx import load_model\nload_model(path)",
    "import yaml\nyaml.load(text)",
    "import tarfile",
    "import zipfile\nzipfile.ZipFile(path).extractall()",
    "import subprocess\nsubprocess.run(text, shell=True)",
    "import os\nos.system(text)",
    "eval(text)",
    "exec(text)",
    "run = compile",
    "__import__('pickle')",
    "from sympy import sympify",
    "expression.sympify(text)",
    "reader(path, weights_only=False)",
)
SAFE = (
    "import re\nre.compile(text)",
    "model.eval()",
    "import numpy as np\nnp.load(path, allow_pickle=False)",
    "import json\njson.load(stream)",
    "import onnx\nonnx.load_model_from_string(data)",
    "import subprocess\nsubprocess.run([program])",
)


def sources() -> list[Path]:
    """Every source file of the product."""
    return [p for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py"))]


def test_import_contracts_are_kept() -> None:
    """The data goes one way, and only service knows the database."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_is_ever_unpickled(path: Path) -> None:
    """No source file imports an unpickler, or names a function that executes or unpacks what it reads."""
    assert faults(ast.parse(path.read_text())) == []


@pytest.mark.parametrize("text", UNSAFE)
def test_whatever_executes_is_found(text: str) -> None:
    """Under any alias, called or only handed on."""
    assert faults(ast.parse(text)) != []


@pytest.mark.parametrize("text", SAFE)
def test_whatever_does_not_execute_is_let_be(text: str) -> None:
    """Names that merely look alike."""
    assert faults(ast.parse(text)) == []


@pytest.mark.parametrize("package", [p for p in PACKAGES if p != "fitwright"])
def test_packages_are_empty_at_the_top(package: str) -> None:
    """`__init__` files hold nothing, so importing one module doesn't import them all."""
    filled = [p for p in (ROOT / package).rglob("__init__.py") if p.read_text().strip()]
    assert filled == []


def test_files_keep_one_idea() -> None:
    """No source file grows past 300 lines."""
    assert {str(p): n for p in sources() if (n := len(p.read_text().splitlines())) > 300} == {}

"""Finds, in a source file's syntax tree, whatever executes or unpacks what it reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator

MODULES = {"pickle", "cPickle", "_pickle", "pickletools", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
MODULES |= {"jsonpickle", "yaml", "tarfile", "h5py", "keras", "sympy", "code", "codeop", "onnx2torch", "torchvision"}
"""Modules that no product file imports: unpicklers, evaluators, unpackers, and what would pull them in."""

NAMES = {"torch.load", "torch.save", "torch.hub", "torch.package", "torch.jit.load", "torch.serialization"}
NAMES |= {"torch.export.load", "torch.export.pt2_archive", "torch._export.serde", "torch._inductor", "torch.classes"}
NAMES |= {"torch.ops.load_library", "numpy.lib.format.open_memmap", "numpy.core.records", "onnx.hub", "onnx.compose"}
NAMES |= {"onnx.external_data_helper", "onnx.load_external_data_for_model", "shutil.unpack_archive"}
NAMES |= {"os.system", "os.popen", "pandas.read_pickle", "multiprocessing.connection", "xmlrpc"}
NAMES |= {"builtins.eval", "builtins.exec", "builtins.compile", "builtins.__import__"}
"""Functions and modules that no product file names, whether it calls them or hands them on."""

BUILTINS = {"eval", "exec", "compile", "__import__"}
METHODS = {"extractall", "extract", "sympify", "unsafe_load", "load_module"}
NEEDED = {
    "numpy.load": ("allow_pickle", False),
    "numpy.lib.format.read_array": ("allow_pickle", False),
    "onnx.load": ("load_external_data", False),
    "onnx.load_model": ("load_external_data", False),
}
"""Functions that are only called with this argument."""

FORBIDDEN = {("allow_pickle", True), ("weights_only", False), ("shell", True), ("load_external_data", True)}


def faults(tree: ast.AST) -> list[str]:
    """What is wrong, with its line; empty for a file that executes nothing."""
    known = _imported(tree)
    return sorted({f"line {line}: {what}" for node in ast.walk(tree) for line, what in _of(node, known)})


def _imported(tree: ast.AST) -> dict[str, str]:
    """Local name -> what it stands for, so that an alias hides nothing."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {
                a.asname or a.name.partition(".")[0]: a.name if a.asname else a.name.partition(".")[0]
                for a in node.names
            }
        elif isinstance(node, ast.ImportFrom) and not node.level:
            known |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return known


def _of(node: ast.AST, known: dict[str, str]) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        modules = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        yield from ((node.lineno, f"imports {m}") for m in modules if m.partition(".")[0] in MODULES or _within(m))
    if isinstance(node, ast.ImportFrom):
        yield from ((node.lineno, a.name) for a in node.names if _within(f"{node.module}.{a.name}"))
    if isinstance(node, ast.Name | ast.Attribute):
        name = _name(node, known)
        if _within(name) or name in BUILTINS or (isinstance(node, ast.Attribute) and node.attr in METHODS):
            yield node.lineno, name or ast.unparse(node)
    if isinstance(node, ast.Call):
        yield from _of_call(node, known)


def _of_call(node: ast.Call, known: dict[str, str]) -> Iterator[tuple[int, str]]:
    given = {(k.arg, k.value.value) for k in node.keywords if isinstance(k.value, ast.Constant)}
    yield from ((node.lineno, f"{key}={value!r}") for key, value in given & FORBIDDEN)
    name = _name(node.func, known)
    if name in NEEDED and NEEDED[name] not in given:
        yield node.lineno, f"{name} without {NEEDED[name][0]}={NEEDED[name][1]}"


def _within(name: str) -> bool:
    return any(name == banned or name.startswith(banned + ".") for banned in NAMES)


def _name(node: ast.AST, known: dict[str, str]) -> str:
    """The full dotted name of an expression; empty for anything that isn't one."""
    if isinstance(node, ast.Name):
        return known.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        owner = _name(node.value, known)
        return f"{owner}.{node.attr}" if owner else ""
    return ""

"""Names that Python, torch and our own files accept, as close to those of the ONNX file as can be."""

from __future__ import annotations

import builtins
import keyword
import re

from torch import fx

from methods.graph.nodes_json import PATH

_KEPT = {*dir(builtins), *keyword.kwlist, *keyword.softkwlist, "torch", "device", "inf", "nan", "NoneType", "pytree"}
_KEPT |= {"fx_pytree", "self", "wrap"}
_MODULE = {*dir(fx.GraphModule), "training", "graph", "meta", "code"}
LONGEST = 120


class Names:
    """Gives every node and every tensor a name of its own."""

    def __init__(self) -> None:
        self._nodes: set[str] = set()
        self._tensors: set[str] = set()
        self._owners: set[str] = set()
        self._next: dict[str, int] = {}

    def node(self, hint: str) -> str:
        """A new identifier for a graph node."""
        stem = identifier(hint)
        stem = stem + "_" if stem in _KEPT else stem
        return self._fresh(stem, self._nodes, "_")

    def tensor(self, hint: str) -> str:
        """A new dotted name; neither it nor anything it is in is the name of another tensor."""
        parts = [p + "_" if p in _MODULE or p.startswith("_") else p for p in hint.split(".")]
        name = ".".join(parts)
        while name in self._owners or name in self._tensors or any(o in self._tensors for o in _owners(name)):
            number = self._next[hint] = self._next.get(hint, 1) + 1
            owner, _, leaf = ".".join(parts).rpartition(".")
            name = f"{owner}_{number}.{leaf}" if owner else f"{leaf}_{number}"
        self._tensors.add(name)
        self._owners.update(_owners(name))
        return name

    def _fresh(self, stem: str, used: set[str], mark: str) -> str:
        name = stem
        while name in used:
            number = self._next[stem] = self._next.get(stem, 0) + 1
            name = f"{stem}{mark}{number}"
        used.add(name)
        return name


def identifier(text: str) -> str:
    """Any text as a Python identifier."""
    cleaned = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:LONGEST] or "value"
    return cleaned if cleaned[0].isalpha() else "n_" + cleaned


def is_plain(name: str) -> bool:
    """Whether an initializer's name says where it belongs, as `layer1.0.conv1.weight` does and `onnx::Conv_12` not."""
    return bool(PATH.fullmatch(name)) and len(name) <= LONGEST and name[0].isalpha()


def stem_of(node: str, operator: str, scope: str = "") -> str:
    """The dotted name of the layer that a node belongs to: `layer1.0.conv1` for `/layer1/layer1.0/conv1/Conv`."""
    node = node.removeprefix("/").removeprefix(scope)
    parts = [p for p in re.split(r"[/:]+", node) if p]
    if len(parts) > 1 and re.fullmatch(re.escape(operator) + r"(_\d+)?", parts[-1]):
        last = parts.pop()
        parts[-1] += last.removeprefix(operator)
    kept = [p for p, after in zip(parts, [*parts[1:], ""], strict=True) if not after.startswith(p + ".")]
    pieces = [identifier(q) if not q.isdigit() else q for p in kept for q in p.split(".") if q]
    found = ".".join(pieces)[-LONGEST:].strip(".")
    return found if found and PATH.fullmatch(found) else identifier(operator.lower())


def common_scope(names: list[str]) -> str:
    """The scopes that all nodes are in, which say nothing: `model/` of `model/conv/Conv2D` and `model/fc/MatMul`."""
    scoped = [[p for p in name.split("/") if p][:-1] for name in names if "/" in name.strip("/")]
    if len(scoped) < 2 or len(scoped) * 2 < len(names):
        return ""
    shared = []
    for parts in zip(*scoped, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return "/".join(shared)


def _owners(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]

"""Graph nodes as JSON and back: names, allow-listed operators and plain arguments, nothing that is evaluated.

Arguments: a node is `"%name"`, a string `"'text"`, a dtype `"#float32"`, an infinite or undefined float `"~inf"`.
"""

from __future__ import annotations

import keyword
import math
import re
from typing import Any

import torch
from torch import fx

from methods.graph.ir import GraphError
from methods.graph.ops import NAMES, TARGETS

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,200}")
PATH = re.compile(r"[A-Za-z0-9_]{1,200}(\.[A-Za-z0-9_]{1,200}){0,40}")
LARGEST, MAX_NODES, MAX_INPUTS = 2**63, 20_000, 256
DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")


class BadFile(GraphError):
    """A model file is damaged, is not what it says, or asks for something that isn't allowed."""


def to_json(graph: fx.Graph) -> list[list[Any]]:
    """Each node as [name, operation, target, arguments, keyword arguments]."""
    rows = []
    for node in graph.nodes:
        target = NAMES[node.target] if node.op == "call_function" else str(node.target)
        target = node.name if node.op == "placeholder" else target
        kwargs = {k: _encode(v) for k, v in node.kwargs.items()}
        rows.append([node.name, node.op, target, _encode(list(node.args)), kwargs])
    return rows


def _encode(value: Any) -> Any:
    if isinstance(value, fx.Node):
        return "%" + value.name
    if isinstance(value, torch.dtype):
        return "#" + str(value).removeprefix("torch.")
    if isinstance(value, str):
        return "'" + value
    if isinstance(value, float) and not math.isfinite(value):
        return f"~{value}"
    if isinstance(value, list | tuple):
        return [_encode(v) for v in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, torch.layout | torch.device | torch.memory_format):
        return None
    raise BadFile(f"an argument of type {type(value).__name__} can't be written to a file")


def from_json(rows: Any, tensors: set[str]) -> fx.Graph:
    """Builds the fx graph. Raises BadFile, naming the node, for anything that `to_json` would not have written."""
    if not isinstance(rows, list) or not rows:
        raise BadFile("the file holds no nodes")
    if len(rows) > MAX_NODES:
        raise BadFile(f"has {len(rows)} nodes; at most {MAX_NODES} are read")
    graph = fx.Graph()
    made: dict[str, fx.Node] = {}
    for position, row in enumerate(rows):
        if not (isinstance(row, list) and len(row) == 5 and isinstance(row[0], str) and isinstance(row[2], str)):
            raise BadFile(f"node {position} is not [name, operation, target, arguments, keywords]")
        name, operation, target, args, kwargs = row
        if not NAME.fullmatch(name) or keyword.iskeyword(name) or name in made:
            raise BadFile(f"node {position} has the name {name[:60]!r}, which is not a new plain identifier")
        if (operation == "output") != (position == len(rows) - 1):
            raise BadFile("the output must be the last node, and the only one")
        made[name] = _node(graph, name, operation, target, _Decoder(made, name).arguments(args, kwargs), tensors)
    if made[rows[-1][0]].args == ((),):
        raise BadFile("the network has no output")
    return graph


def _node(graph: fx.Graph, name: str, operation: str, target: str, arguments: Any, tensors: set[str]) -> fx.Node:
    args, kwargs = arguments
    if operation == "placeholder":
        node = graph.placeholder(name)
    elif operation == "get_attr":
        if target not in tensors:
            raise BadFile(f"node {name} reads the tensor {target[:80]!r}, which the file does not hold")
        node = graph.create_node("get_attr", target, name=name)
    elif operation == "call_function":
        if target not in TARGETS:
            raise BadFile(f"node {name}: operator {target[:80]!r} is not one that a model file may call")
        node = graph.create_node("call_function", TARGETS[target], args, kwargs, name=name)
    elif operation == "output":
        if len(args) != 1 or not all(isinstance(a, fx.Node) for a in args[0]):
            raise BadFile("the output must be a list of nodes")
        node = graph.output(tuple(args[0]))
    else:
        raise BadFile(f"node {name}: unknown operation {operation!r:.60}")
    return node  # under another name where Python keeps this one for itself, such as `input`


class _Decoder:
    """Turns JSON arguments back into values, with bounds on depth and size."""

    def __init__(self, made: dict[str, fx.Node], name: str) -> None:
        self.made = made
        self.name = name

    def arguments(self, args: Any, kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if not isinstance(args, list) or not isinstance(kwargs, dict) or not all(NAME.fullmatch(k) for k in kwargs):
            raise BadFile(f"node {self.name}: its arguments are not a list and a table")
        return tuple(self.value(a) for a in args), {k: self.value(v) for k, v in kwargs.items()}

    def value(self, item: Any, depth: int = 0) -> Any:
        if isinstance(item, list):
            if depth > 3 or len(item) > 10_000:
                raise BadFile(f"node {self.name}: arguments are nested too deeply or too long")
            return [self.value(v, depth + 1) for v in item]
        if isinstance(item, str):
            return self._text(item)
        if item is None or isinstance(item, bool) or (isinstance(item, float) and math.isfinite(item)):
            return item
        if isinstance(item, int) and abs(item) <= LARGEST:
            return item
        if isinstance(item, int | float):
            raise BadFile(f"node {self.name}: an argument is a number that no tensor can hold")
        raise BadFile(f"node {self.name}: an argument of type {type(item).__name__} is not allowed")

    def _text(self, item: str) -> Any:
        mark, text = item[:1], item[1:]
        if mark == "%":
            if text not in self.made:
                raise BadFile(f"node {self.name} reads {text[:60]!r}, which is not an earlier node")
            return self.made[text]
        if mark == "'" and len(text) <= 40:
            return text
        if mark == "#" and text in DTYPES:
            return getattr(torch, text)
        if mark == "~" and text in ("inf", "-inf", "nan"):
            return float(text)
        raise BadFile(f"node {self.name}: argument {item[:60]!r} is not understood")

"""The graph in the JSON of a `.pt2` file as fx nodes of ATen operators from a fixed list. Nothing is evaluated: sizes
that follow the batch are read at run time, expressions and guards in the file are not even looked at.
"""

from __future__ import annotations

import keyword
from typing import Any

import torch
from torch import fx

from methods.graph.intake.inline import INLINED
from methods.graph.intake.spellings import DROPPED, readable
from methods.graph.nodes_json import LARGEST, MAX_NODES, NAME, BadFile

TYPES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64"}
TYPES |= {12: "bool", 13: "bfloat16"}
"""Numbers that torch's schema gives to element types (torch/_export/serde/schema.py, ScalarType)."""

MAX_LIST, MAX_TEXT, MAX_DEPTH = 10_000, 60, 8
CHECKS = {"ge", "gt", "le", "lt", "eq", "ne", "and_", "or_", "not_"}
"""Comparisons of sizes: only assertions read them."""

KEPT: dict[str, Any] = {"as_device": torch.device("cpu"), "as_layout": torch.strided}
KEPT |= {"as_memory_format": torch.contiguous_format, "as_none": None}
"""Arguments about memory; whatever the file says, it is the memory of whoever runs the graph."""


class NodeReader:
    """Adds the nodes of exported JSON to a graph; `known` maps the file's value names to nodes (None: not kept)."""

    def __init__(self, graph: fx.Graph, known: dict[str, fx.Node | None]) -> None:
        self.graph = graph
        self.known = known
        self.targets = readable()
        self.count = 0

    def read(self, nodes: Any, depth: int = 0) -> None:
        """Adds all nodes. Raises BadFile, naming the node, for what is not allowed."""
        if depth > MAX_DEPTH:
            raise BadFile("its graphs are nested too deeply")
        for node in nodes:
            self.count += 1
            if self.count > MAX_NODES:
                raise BadFile(f"has more than {MAX_NODES} nodes")
            self._node(node, depth)

    def value(self, name: str) -> fx.Node:
        """The node behind a value's name in the file."""
        found = self.known.get(name)
        if found is None:
            raise BadFile(f"the value {str(name)[:60]!r} is read before it is made, or is a size compared with another")
        return found

    def _node(self, node: Any, depth: int) -> None:
        target = _target(node["target"])
        made = _made(node["outputs"])
        if target in DROPPED or target.removeprefix("operator.") in CHECKS:
            self.known.update({name: None for name in made if name})
            return
        if target.startswith("higher_order."):
            self._nested(node, target.removeprefix("higher_order."), made, depth)
            return
        if target not in self.targets:
            raise BadFile(
                f"operator {target[:80]!r} is not one that a model file may call. If only training needs it, export "
                "model.eval(); or capture the model itself, `fitwright capture`, which replaces more operators"
            )
        args = tuple(self._argument(x["arg"]) for x in node["inputs"] if x.get("kind", 1) == 1)
        kwargs = {_word(x["name"]): self._argument(x["arg"]) for x in node["inputs"] if x.get("kind", 1) != 1}
        several = len(node["outputs"]) != 1 or "as_tensors" in node["outputs"][0]
        self._add(self.targets[target], args, kwargs, made, several)

    def _add(self, target: Any, args: Any, kwargs: Any, made: list[str | None], several: bool) -> None:
        if not several:
            self._name(made[0], self._call(target, args, kwargs, made[0]))
            return
        whole = self._call(target, args, kwargs, None)
        for index, name in enumerate(made):
            if name:
                self._name(name, self._call(self.targets["operator.getitem"], (whole, index), {}, name))

    def _call(self, target: Any, args: Any, kwargs: Any, name: str | None) -> fx.Node:
        plain = name is not None and bool(NAME.fullmatch(name)) and not keyword.iskeyword(name)
        return self.graph.create_node("call_function", target, args, kwargs, name=name if plain else None)

    def _name(self, name: str | None, node: fx.Node) -> None:
        if name is not None and name in self.known:
            raise BadFile(f"makes the value {name[:60]!r} twice")
        if name is not None:
            self.known[name] = node

    def _nested(self, node: Any, name: str, made: list[str | None], depth: int) -> None:
        """Puts a nested graph in place; its names are its own. Without gradient, its outputs are detached."""
        arguments = [x["arg"] for x in node["inputs"]]
        position = next((i for i, a in enumerate(arguments) if "as_graph" in a), None)
        casts = name == "wrap_with_autocast" and bool(arguments[2].get("as_bool"))
        if name not in INLINED or position is None or casts:
            raise BadFile(f"operator {name[:60]!r} is not supported; write the branch or loop in tensor operators")
        body, outer = arguments[position]["as_graph"]["graph"], self.known
        given = [self.value(a["as_tensor"]["name"]) for a in arguments[position + 1 :] if "as_tensor" in a]
        wanted = [i["as_tensor"]["name"] for i in body["inputs"] if "as_tensor" in i]
        self.known = dict(zip(wanted, given, strict=True))
        self.read(body["nodes"], depth + 1)
        results = [self.value(o["as_tensor"]["name"]) for o in body["outputs"]]
        self.known = outer
        if name == "wrap_with_set_grad_enabled" and not arguments[0].get("as_bool"):
            results = [self._call(self.targets["aten.detach.default"], (r,), {}, None) for r in results]
        self.known.update({n: r for n, r in zip(made, results, strict=False) if n})

    def _argument(self, arg: Any) -> Any:
        kind, value = next(iter(arg.items()))
        if kind in KEPT:
            return KEPT[kind]
        if kind in ("as_tensor", "as_sym_int"):
            return self._size(value) if kind == "as_sym_int" else self.value(value["name"])
        if kind in ("as_int", "as_float", "as_bool"):
            return _number(value)
        if kind == "as_string" and isinstance(value, str) and len(value) <= MAX_TEXT:
            return value
        if kind == "as_scalar_type":
            return getattr(torch, TYPES[value])
        if isinstance(value, list) and len(value) <= MAX_LIST:
            return [self._item(kind, item) for item in value]
        raise BadFile(f"an argument of kind {str(kind)[:40]} is not supported")

    def _item(self, kind: str, item: Any) -> Any:
        if kind in ("as_ints", "as_floats", "as_bools"):
            return _number(item)
        if kind == "as_sym_ints":
            return self._size(item)
        if kind == "as_tensors":
            return self.value(item["name"])
        if kind == "as_optional_tensors":
            return self.value(item["as_tensor"]["name"]) if item.get("as_tensor") else None
        raise BadFile(f"an argument of kind {str(kind)[:40]} is not supported")

    def _size(self, value: Any) -> Any:
        return _number(value["as_int"]) if "as_int" in value else self.value(value["as_name"])


def _number(value: Any) -> Any:
    if isinstance(value, str) and value.lower() in ("infinity", "-infinity", "nan", "inf", "-inf"):
        return float(value)
    if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) <= LARGEST):
        return value
    raise BadFile(f"an argument of type {type(value).__name__} is not a number that a tensor can hold")


def _word(name: Any) -> str:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BadFile("a keyword argument is oddly named")
    return name


def _target(name: str) -> str:
    """A target as our table spells it: `aten.add.Tensor`, `operator.mul`, `higher_order.cond`."""
    if name.startswith("torch.ops."):
        return name.removeprefix("torch.ops.")
    return name.removeprefix("_") if name.startswith("_operator.") else name


def _made(outputs: Any) -> list[str | None]:
    """Names of a node's outputs; None for those that nobody reads."""
    names: list[str | None] = []
    for output in outputs:
        kind, value = next(iter(output.items()))
        if kind == "as_tensors":
            names += [v["name"] for v in value]
        elif kind == "as_tensor":
            names.append(value["name"])
        else:
            names.append(value.get("as_name") if isinstance(value, dict) else None)
    return names

"""Reads a `.pt2` of torch.export without torch.export.load, which executes what it finds in the file.

Only the zip directory, the JSON of the graph and the raw bytes of the tensors are used; sample inputs, guards,
compiled code and everything pickled are never opened. Operators are held against the same list as in our own files.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from methods.graph.ir import Graph, InputSpec, empty_module
from methods.graph.nodes_json import NAME, PATH, BadFile, from_json
from methods.graph.ops import IN_PLACE

TYPES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64"}
TYPES |= {12: "bool", 13: "bfloat16"}
"""Numbers that torch's schema gives to element types (torch/_export/serde/schema.py, ScalarType)."""

MAX_JSON_BYTES, MAX_ENTRIES = 256 << 20, 100_000


def read(path: Path | str) -> Graph:
    """The graph in a `.pt2` file, in evaluation mode. Raises BadFile, naming what is wrong and the remedy."""
    path = Path(path)
    try:
        return _Archive(path).graph()
    except BadFile as error:
        raise BadFile(f"{path.name}: {error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, UnicodeDecodeError) as error:
        raise BadFile(f"{path.name} is not a .pt2 file, or is truncated ({str(error)[:120]})") from error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, StopIteration, RecursionError) as error:
        raise BadFile(f"{path.name} is damaged: {type(error).__name__}: {str(error)[:200]}") from error


class _Archive:
    def __init__(self, path: Path) -> None:
        if path.stat().st_size == 0:
            raise BadFile("is empty")
        self.zip = zipfile.ZipFile(path)
        infos = self.zip.infolist()
        names = [i.filename for i in infos]
        if len(infos) > MAX_ENTRIES or len(set(names)) != len(names):
            raise BadFile("holds too many or duplicate members")
        if any(i.compress_type != zipfile.ZIP_STORED for i in infos):
            raise BadFile("holds compressed members, which torch.export never writes")
        if sum(i.file_size for i in infos) > path.stat().st_size:
            raise BadFile("its members are larger than the file")
        if any("aotinductor" in n for n in names):
            raise BadFile("holds compiled code, which is never loaded; save the exported program itself")
        model = [n for n in names if n.endswith("models/model.json")]
        if len(model) != 1:
            raise BadFile("must hold exactly one models/model.json")
        self.root = model[0].removesuffix("models/model.json")
        if self.zip.read(self.root + "byteorder") != b"little":
            raise BadFile("was written in another byte order")
        self.document = self._json("models/model.json")

    def _json(self, name: str) -> Any:
        info = self.zip.getinfo(self.root + name)
        if info.file_size > MAX_JSON_BYTES:
            raise BadFile(f"{name} is too large")
        return json.loads(self.zip.read(info))

    def graph(self) -> Graph:
        module = self.document["graph_module"]
        body, signature = module["graph"], module["signature"]
        rows, tensors, inputs = self._inputs(body, signature["input_specs"])
        rows += _Rows(body).rows(skip={n for n, t in tensors.items() if t.endswith("num_batches_tracked")})
        graph = Graph(empty_module(), tuple(inputs))
        for name, value, trainable in self._tensors(set(tensors.values())):
            graph.set_tensor(name, value, trainable)
        graph.module.graph = from_json(rows, set(tensors.values()))
        graph.output_names = tuple(f"output_{i}" if i else "output" for i in range(len(rows[-1][3][0])))
        graph.remove_unused()
        graph.set_training(False)
        return graph

    def _inputs(self, body: Any, specs: Any) -> tuple[list[Any], dict[str, str], list[InputSpec]]:
        rows: list[Any] = []
        tensors: dict[str, str] = {}
        inputs: list[InputSpec] = []
        for spec in specs:
            kind, entry = next((k, v) for k, v in spec.items() if v)
            if kind == "user_input":
                name = entry["arg"]["as_tensor"]["name"]
                inputs.append(_spec(name, body["tensor_values"][name]))
                rows.append([name, "placeholder", name, [], {}])
            elif kind in ("parameter", "buffer", "tensor_constant"):
                name, target = entry["arg"]["name"], entry[f"{kind}_name"]
                tensors[name] = target
                if not target.endswith("num_batches_tracked"):
                    rows.append([name, "get_attr", target, [], {}])
            else:
                raise BadFile(f"has an input of kind {str(kind)[:40]}, which is not supported")
        return rows, tensors, inputs

    def _tensors(self, wanted: set[str]) -> list[tuple[str, Tensor, bool]]:
        found = []
        for folder, config in (("weights", "model_weights_config"), ("constants", "model_constants_config")):
            for name, entry in self._json(f"data/{folder}/{config}.json")["config"].items():
                if name in wanted:
                    found.append((name, self._tensor(folder, name, entry), bool(entry["is_param"])))
        return found

    def _tensor(self, folder: str, name: str, entry: Any) -> Tensor:
        if entry["use_pickle"] or not PATH.fullmatch(name) or not NAME.fullmatch(entry["path_name"]):
            raise BadFile(f"tensor {name[:80]!r} is pickled or oddly named; such tensors are never read")
        meta = entry["tensor_meta"]
        shape = [s["as_int"] for s in meta["sizes"]]
        data = self.zip.read(f"{self.root}data/{folder}/{entry['path_name']}")
        dtype = getattr(torch, TYPES[meta["dtype"]])
        if any(s < 0 for s in shape) or prod(shape) * dtype.itemsize != len(data):
            raise BadFile(f"tensor {name} has the shape {shape} but {len(data)} bytes")
        if meta["storage_offset"]["as_int"] or [s["as_int"] for s in meta["strides"]] != _strides(shape):
            raise BadFile(f"tensor {name} is a strided view; call .contiguous() on it before exporting")
        if not data:
            return torch.zeros(shape, dtype=dtype)
        return torch.frombuffer(bytearray(data), dtype=dtype).reshape(shape).clone()


def _strides(shape: list[int]) -> list[int]:
    """Row-major strides as torch gives them."""
    return [int(np.prod([max(1, s) for s in shape[i + 1 :]], dtype=np.int64)) for i in range(len(shape))]


def _spec(name: str, meta: Any) -> InputSpec:
    first, *rest = meta["sizes"]
    if "as_int" in first:
        raise BadFile(
            f"input {name} has a fixed batch size of {first['as_int']}; export with "
            "dynamic_shapes=({0: torch.export.Dim.AUTO},) and an example batch of 2"
        )
    if any("as_int" not in s for s in rest):
        raise BadFile(f"input {name} has more free axes than the batch axis; only that one may vary")
    return InputSpec(name, tuple(int(s["as_int"]) for s in rest), TYPES[meta["dtype"]], values=2)


class _Rows:
    """Turns nodes of the exported JSON into rows of our own format."""

    def __init__(self, body: Any) -> None:
        self.body = body
        self.renamed: dict[str, str] = {}

    def rows(self, skip: set[str]) -> list[Any]:
        rows: list[Any] = []
        for position, node in enumerate(self.body["nodes"]):
            if any(x["arg"].get("as_tensor", {}).get("name") in skip for x in node["inputs"] if x["arg"]):
                continue
            rows += self._node(node, position)
        outputs = [self._ref(o["as_tensor"]["name"]) for o in self.body["outputs"]]
        return [*rows, ["output", "output", "output", [outputs], {}]]

    def _ref(self, name: str) -> str:
        while name in self.renamed:
            name = self.renamed[name]
        return "%" + name

    def _node(self, node: Any, position: int) -> list[Any]:
        target = _target(node["target"])
        args = [self._value(x["arg"]) for x in node["inputs"] if x.get("kind", 1) == 1]
        kwargs = {x["name"]: self._value(x["arg"]) for x in node["inputs"] if x.get("kind", 1) != 1}
        first = node["inputs"][0]["arg"].get("as_tensor") if node["inputs"] else None
        packet = target.split(".")[1] if target.startswith("aten.") else ""
        made = _outputs(node["outputs"])
        if packet in IN_PLACE and first and made:
            target = target.replace(packet, packet.removesuffix("_"), 1)
            self.renamed[first["name"]] = str(made[0])
        target = "aten.reshape.default" if target == "aten.view.default" else target
        if len(node["outputs"]) == 1 and "as_tensors" not in node["outputs"][0]:
            return [[made[0], "call_function", target, args, kwargs]]
        name = f"node_{position}"
        picks = [[m, "call_function", "operator.getitem", ["%" + name, i], {}] for i, m in enumerate(made) if m]
        return [[name, "call_function", target, args, kwargs], *picks]

    def _value(self, arg: Any) -> Any:
        kind, value = next(iter(arg.items()))
        if kind in ("as_tensor", "as_sym_int", "as_sym_float"):
            return self._sym(value) if kind != "as_tensor" else self._ref(value["name"])
        if kind in ("as_int", "as_float", "as_bool", "as_ints", "as_floats", "as_bools"):
            return f"~{value}" if isinstance(value, str) else value
        if kind == "as_sym_ints":
            return [self._sym(v) for v in value]
        if kind == "as_tensors":
            return [self._ref(v["name"]) for v in value]
        if kind == "as_optional_tensors":
            return [self._ref(v["as_tensor"]["name"]) if v.get("as_tensor") else None for v in value]
        if kind == "as_string":
            return "'" + value
        if kind == "as_scalar_type":
            return "#" + TYPES[value]
        if kind in ("as_none", "as_memory_format", "as_layout", "as_device"):
            return None
        raise BadFile(f"an argument of kind {str(kind)[:40]} is not supported")

    def _sym(self, value: Any) -> Any:
        return value["as_int"] if "as_int" in value else self._ref(value["as_name"])


def _target(name: str) -> str:
    if name.startswith("torch.ops.aten."):
        return name.removeprefix("torch.ops.")
    return name.removeprefix("_") if name.startswith("_operator.") else name


def _outputs(outputs: Any) -> list[str | None]:
    """Names of a node's outputs; None for those that nobody reads."""
    names: list[str | None] = []
    for output in outputs:
        kind, value = next(iter(output.items()))
        if kind == "as_tensors":
            names += [v["name"] for v in value]
        elif kind in ("as_tensor", "as_sym_int"):
            names.append(value["name"] if kind == "as_tensor" else value["as_name"])
        else:
            names.append(None)
    return names

"""Reads a `.pt2` of torch.export without torch.export.load, which executes what it finds in the file.

Only the zip directory, the JSON of the graph and the raw bytes of the tensors are used; sample inputs, guards,
compiled code and everything pickled are never opened. Operators are held against a fixed list, and those outside the
table of our own files are replaced as capture replaces them.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import fx

from methods.graph.archive import open_archive, read_json
from methods.graph.intake.assemble import assemble, plain_names, renamed
from methods.graph.intake.names import output_names
from methods.graph.intake.normalise import normalise
from methods.graph.intake.pt2_nodes import TYPES, NodeReader
from methods.graph.intake.pt2_tensors import MAX_NAME, TensorReader
from methods.graph.ir import Graph, GraphError, InputSpec
from methods.graph.nodes_json import MAX_NODES, NAME, BadFile

MAX_JSON_BYTES, MAX_DEPTH = 128 << 20, 20


def read(path: Path | str) -> Graph:
    """The graph in a `.pt2` file, in evaluation mode. Raises BadFile, naming what is wrong and the remedy."""
    path = Path(path)
    try:
        return _Archive(path).graph()
    except GraphError as error:
        raise BadFile(f"{path.name}: {error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, UnicodeDecodeError) as error:
        raise BadFile(f"{path.name} is not a .pt2 file, or is truncated ({str(error)[:120]})") from error
    except MemoryError as error:
        raise BadFile(f"{path.name} takes more memory than there is") from error
    except Exception as error:  # what an odd file breaks further down is one more way to be damaged
        raise BadFile(f"{path.name} is damaged: {type(error).__name__}: {str(error)[:200]}") from error


class _Archive:
    def __init__(self, path: Path) -> None:
        if path.stat().st_size == 0:
            raise BadFile("is empty")
        self.zip = open_archive(path)
        names = self.zip.namelist()
        if any("aotinductor" in n for n in names):
            raise BadFile("holds compiled code, which is never loaded; save the exported program itself")
        model = [n for n in names if n.endswith("models/model.json")]
        if len(model) != 1:
            raise BadFile("must hold exactly one models/model.json")
        self.root = model[0].removesuffix("models/model.json")
        if self.zip.read(self.root + "byteorder") != b"little":
            raise BadFile("was written in another byte order")
        self.module = self._json("models/model.json")["graph_module"]

    def _json(self, name: str) -> Any:
        info = self.zip.getinfo(self.root + name)
        if info.file_size > MAX_JSON_BYTES:
            raise BadFile(f"{name} is too large")
        return read_json(self.zip.read(info), name)

    def graph(self) -> Graph:
        body, signature = self.module["graph"], self.module["signature"]
        specs = [_kind(spec) for spec in signature["input_specs"]]
        wanted = {entry["arg"]["name"]: _tensor_name(kind, entry) for kind, entry in specs if kind in _TENSORS}
        tensors = TensorReader(self.zip, self.root, self._json).read(set(wanted.values()))
        names = plain_names([n for n in tensors.values if tensors.first[n] == n])
        raw = fx.Graph()
        known: dict[str, fx.Node | None] = {}
        inputs = tuple(self._inputs(specs, raw, known))
        for argument, name in wanted.items():
            known[argument] = raw.create_node("get_attr", names[tensors.first[name]])
        reader = NodeReader(raw, known)
        reader.read(body["nodes"])
        outputs = list(self._outputs(signature["output_specs"]))
        raw.output(tuple(reader.value(name) for name, _ in outputs))
        inputs = renamed(inputs, raw)
        values = {names[n]: tensors.values[n] for n in names}
        listed = normalise(raw, values, inputs)
        if len(listed.nodes) > MAX_NODES:
            raise BadFile(f"has more than {MAX_NODES} nodes once its operators are replaced")
        trainable = {names[tensors.first[n]] for n in tensors.trainable}
        return assemble(listed, values, trainable, inputs, output_names([path for _, path in outputs]))

    def _inputs(self, specs: Any, raw: fx.Graph, known: dict[str, fx.Node | None]) -> Iterator[InputSpec]:
        for kind, entry in specs:
            if kind == "user_input" and "as_tensor" in entry["arg"]:
                name = entry["arg"]["as_tensor"]["name"]
                if not NAME.fullmatch(name):
                    raise BadFile(f"an input has the name {name[:60]!r}, which is not a plain identifier")
                yield _spec(name, self.module["graph"]["tensor_values"][name])
                known[name] = raw.placeholder(name)
            elif kind not in (*_TENSORS, "user_input", "constant_input"):
                raise BadFile(f"has an input of kind {kind[:40]}, which is not supported")

    def _outputs(self, specs: Any) -> Iterator[tuple[str, str]]:
        """Value name and path of each output that is a tensor; written-back buffers and plain numbers are left out."""
        given = [entry["arg"] for kind, entry in map(_kind, specs) if kind == "user_output"]
        paths = self._paths()
        if len(paths) != len(given):
            paths = [str(i) for i in range(len(given))]
        found = [(arg["as_tensor"]["name"], path) for arg, path in zip(given, paths) if "as_tensor" in arg]
        if not found:
            raise BadFile("the network has no output")
        yield from found

    def _paths(self) -> list[str]:
        """Where in the model's nested result each output stands, from the description in the file."""
        calls = [c for c in self.module.get("module_call_graph", []) if c.get("fqn") == "" and c.get("signature")]
        if len(calls) != 1:
            return []
        document = read_json(calls[0]["signature"]["out_spec"].encode(), "the description of the outputs")
        return list(_leaves(document[1], "", 0))


_TENSORS = ("parameter", "buffer", "tensor_constant")


def _kind(spec: Any) -> tuple[str, Any]:
    kind, entry = next((k, v) for k, v in spec.items() if v)
    return str(kind), entry


def _tensor_name(kind: str, entry: Any) -> str:
    name = entry[f"{kind}_name"]
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        raise BadFile("a tensor is oddly named")
    return name


def _leaves(spec: Any, path: str, depth: int) -> Iterator[str]:
    """Paths to the leaves of a nest: keys where its context is a list of them, positions elsewhere."""
    if depth > MAX_DEPTH:
        raise BadFile("its outputs are nested too deeply")
    children = spec["children_spec"]
    if spec["type"] is None:
        yield path
        return
    keys = _keys(spec["context"], len(children))
    for key, child in zip(keys, children, strict=True):
        yield from _leaves(child, f"{path}_{key}" if path else key, depth + 1)


def _keys(context: Any, count: int) -> list[str]:
    try:
        found = read_json(context.encode(), "a context") if isinstance(context, str) else context
    except BadFile:
        found = None
    if isinstance(found, list) and len(found) == count and all(isinstance(k, str | int) for k in found):
        return [str(k) for k in found]
    return [str(i) for i in range(count)]


def _spec(name: str, meta: Any) -> InputSpec:
    if not meta["sizes"]:
        raise BadFile(f"input {name} has no batch axis")
    first, *rest = meta["sizes"]
    if "as_int" in first:
        raise BadFile(
            f"input {name} has a fixed batch size of {first['as_int']}; export with "
            "dynamic_shapes=({0: torch.export.Dim.AUTO},) and an example batch of 2"
        )
    if any("as_int" not in s for s in rest):
        raise BadFile(f"input {name} has more free axes than the batch axis; only that one may vary")
    if set("*+") & set(str(first.get("as_expr", {}).get("expr_str", ""))):
        raise BadFile(f"the batch axis of input {name} is computed from another size; it must be the batch size")
    return InputSpec(name, tuple(int(s["as_int"]) for s in rest), TYPES[meta["dtype"]], values=2)

"""What a program of torch.export says, read as data: zip, JSON and raw bytes, without torch and without unpickling.

Only programs that we made ourselves come here (methods/graph/program.py); one from outside goes through the reader in
methods/graph/intake, which trusts nothing. Names are replaced by numbers in the order of first use, so that equal
networks look alike.

Reference: torch/_export/serde/schema.py, versions 8 and up.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwmodels.base import MeasurementFailed, UnsupportedOp

TYPES: Mapping[int, str] = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32"}
TYPES = {**TYPES, 8: "float64", 12: "bool", 13: "bfloat16"}
"""Numbers that the format gives to element types."""

_STORES = ("weights", "constants")


@dataclass(frozen=True)
class Stored:
    """A tensor of the file: where its bytes are, and how they are to be read. Sizes are counted in elements."""

    member: str
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


@dataclass(frozen=True)
class Call:
    """One call of an operator. Values stand in `arguments` as `{"value": number}`, all else as the format has it.

    Attributes:
        target: `aten.conv2d.default`. arguments: (name, whether it is given by name, what is given).
        makes: numbers of its results; None for one that nobody reads. several: whether it returns a list of them.
    """

    target: str
    arguments: tuple[tuple[str, bool, Any], ...]
    makes: tuple[int | None, ...]
    several: bool


@dataclass(frozen=True)
class Pt2:
    """A network with its batch fixed.

    Attributes:
        inputs: number, type and shape of what the user gives. tensors: number -> weight or constant.
        calls: the operators in order. outputs: numbers of the results.
    """

    inputs: tuple[tuple[int, str, tuple[int, ...]], ...]
    tensors: Mapping[int, Stored]
    calls: tuple[Call, ...]
    outputs: tuple[int, ...]


def read_pt2(program: bytes) -> Pt2:
    """What the bytes of a program say. Raises MeasurementFailed for other bytes, UnsupportedOp for free sizes."""
    try:
        with zipfile.ZipFile(io.BytesIO(program)) as archive:
            return _Reader(archive).read()
    except (zipfile.BadZipFile, KeyError, ValueError, StopIteration) as error:
        raise MeasurementFailed(f"this is no program of torch.export ({type(error).__name__}: {error})") from error


class _Reader:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        model = next(name for name in archive.namelist() if name.endswith("models/model.json"))
        self.root = model.removesuffix("models/model.json")
        self.module = json.loads(archive.read(model))["graph_module"]
        self.numbers: dict[str, int] = {}

    def read(self) -> Pt2:
        graph, kinds = self.module["graph"], [_kind(spec) for spec in self.module["signature"]["input_specs"]]
        inputs = []
        for entry in (entry for kind, entry in kinds if kind == "user_input"):
            name = entry["arg"]["as_tensor"]["name"]
            meta = graph["tensor_values"][name]
            inputs.append((self._number(name), TYPES[meta["dtype"]], _sizes(meta["sizes"])))
        calls = tuple(self._call(node) for node in graph["nodes"])
        outputs = tuple(self._number(output["as_tensor"]["name"]) for output in graph["outputs"])
        names = {entry["arg"]["name"]: entry[f"{kind}_name"] for kind, entry in kinds if kind != "user_input"}
        used = sorted((number, name) for name, number in self.numbers.items() if name in names)
        stored = self._stored()
        return Pt2(tuple(inputs), {number: stored[names[name]] for number, name in used}, calls, outputs)

    def _stored(self) -> dict[str, Stored]:
        found = {}
        for store in _STORES:
            folder = f"{self.root}data/{store}/"
            document = json.loads(self.archive.read(f"{folder}model_{store}_config.json"))
            for name, entry in document["config"].items():
                meta = entry["tensor_meta"]
                sizes, strides = _sizes(meta["sizes"]), _sizes(meta["strides"])
                offset = int(meta["storage_offset"]["as_int"])
                found[name] = Stored(folder + entry["path_name"], TYPES[meta["dtype"]], sizes, strides, offset)
        return found

    def _call(self, node: Any) -> Call:
        target = str(node["target"]).removeprefix("torch.ops.")
        given = tuple((x["name"], x.get("kind", 1) != 1, self._numbered(target, x["arg"])) for x in node["inputs"])
        several = len(node["outputs"]) != 1 or "as_tensors" in node["outputs"][0]
        return Call(target, given, tuple(map(self._made, _results(node["outputs"]))), several)

    def _made(self, name: str | None) -> int | None:
        return None if name is None else self._number(name)

    def _number(self, name: str) -> int:
        return self.numbers.setdefault(name, len(self.numbers))

    def _numbered(self, target: str, given: Any) -> Any:
        """The same argument with values by number."""
        if isinstance(given, list):
            return [self._numbered(target, item) for item in given]
        if not isinstance(given, dict):
            return given
        odd = {"as_graph", "as_sym_int", "as_sym_ints", "as_name", "as_custom_obj"} & set(given)
        if odd:
            raise UnsupportedOp(f"{target} takes {odd.pop()}: only plain operators of fixed sizes can be measured")
        if isinstance(given.get("name"), str):
            return {"value": self._number(given["name"])}
        return {key: self._numbered(target, value) for key, value in given.items()}


def _kind(spec: Any) -> tuple[str, Any]:
    kind, entry = next((kind, entry) for kind, entry in spec.items() if entry)
    return str(kind), entry


def _results(outputs: Any) -> list[str | None]:
    names: list[str | None] = []
    for output in outputs:
        if "as_tensors" in output:
            names += [value["name"] for value in output["as_tensors"]]
        else:
            names.append(output["as_tensor"]["name"] if "as_tensor" in output else None)
    return names


def _sizes(sizes: Any) -> tuple[int, ...]:
    return tuple(int(size["as_int"]) for size in sizes)

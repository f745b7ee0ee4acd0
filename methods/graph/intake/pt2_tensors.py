"""The tensors of a `.pt2` file: raw bytes with sizes and strides, never a pickle. Weights that are one stay one."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import Tensor

from methods.graph.intake.pt2_nodes import TYPES
from methods.graph.nodes_json import NAME, BadFile

MAX_TENSOR_BYTES, MAX_NAME = 8 << 30, 400
FOLDERS = (("weights", "model_weights_config"), ("constants", "model_constants_config"))


@dataclass
class Tensors:
    """`values` by name, `first` name of all those that are one tensor, names of the `trainable` ones."""

    values: dict[str, Tensor] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    trainable: set[str] = field(default_factory=set)


class TensorReader:
    """Reads tensors of an archive under `root`; `document` parses a JSON member."""

    def __init__(self, archive: zipfile.ZipFile, root: str, document: Callable[[str], Any]) -> None:
        self.zip = archive
        self.root = root
        self.document = document
        self.bytes = 0

    def read(self, wanted: set[str]) -> Tensors:
        """The wanted tensors. Raises BadFile for what is missing, pickled, or doesn't fit its bytes."""
        found = Tensors()
        same: dict[Any, str] = {}
        for folder, config in FOLDERS:
            for name, entry in self.document(f"data/{folder}/{config}.json")["config"].items():
                if name not in wanted or name in found.values:
                    continue
                key = (folder, entry["path_name"], str(entry["tensor_meta"]))
                found.first[name] = same.setdefault(key, name)
                known = found.values.get(found.first[name])
                found.values[name] = self._tensor(folder, name, entry) if known is None else known
                if entry["is_param"]:
                    found.trainable.add(name)
        for name in wanted - set(found.values):
            raise BadFile(f"does not hold the tensor {name[:80]!r}")
        return found

    def _tensor(self, folder: str, name: str, entry: Any) -> Tensor:
        if entry["use_pickle"] or not NAME.fullmatch(entry["path_name"]):
            raise BadFile(f"tensor {name[:80]!r} is pickled or oddly named; such tensors are never read")
        meta = entry["tensor_meta"]
        dtype = getattr(torch, TYPES[meta["dtype"]])
        member = self.zip.getinfo(f"{self.root}data/{folder}/{entry['path_name']}")
        self.bytes += member.file_size
        if self.bytes > MAX_TENSOR_BYTES:
            raise BadFile(f"its tensors take more than {MAX_TENSOR_BYTES >> 30} GiB")
        shape, strides = ([int(s["as_int"]) for s in meta[k]] for k in ("sizes", "strides"))
        offset, count = int(meta["storage_offset"]["as_int"]), member.file_size // dtype.itemsize
        _check_view(name, shape, strides, offset, count)
        if not prod(shape):
            return torch.zeros(shape, dtype=dtype)
        flat = torch.frombuffer(bytearray(self.zip.read(member)), dtype=dtype, count=count)
        return flat.as_strided(shape, strides, offset).clone(memory_format=torch.contiguous_format)


def _check_view(name: str, shape: list[int], strides: list[int], offset: int, count: int) -> None:
    """A view must lie within the stored numbers and not have more of its own than there are."""
    if len(shape) != len(strides) or len(shape) > 16 or any(s < 0 for s in (*shape, *strides, offset)):
        raise BadFile(f"tensor {name[:80]} has the shape {str(shape)[:80]} and strides {str(strides)[:80]}")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if prod(shape) and (last >= count or prod(shape) > count):
        raise BadFile(f"tensor {name[:80]} has the shape {str(shape)[:80]} but {count} numbers")

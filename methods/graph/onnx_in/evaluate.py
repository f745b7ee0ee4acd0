"""Runs one operator at one of the two batch sizes: on shapes alone, or on numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from methods.graph.onnx_in.values import PROBES, Size, Value, at
from methods.graph.ops import KIND_OF


def evaluate(target: Callable[..., Any], args: Any, kwargs: Any, probe: int, meta: bool) -> Any:
    """The result of `target`; with `meta` only its shapes, without any memory."""

    def plain(item: Any) -> Any:
        if isinstance(item, Value):
            tensor = item.probes[probe]
            return tensor.to("meta") if meta else tensor
        if isinstance(item, Size):
            return at(item, PROBES[probe])
        return [plain(v) for v in item] if isinstance(item, list | tuple) else item

    if meta and KIND_OF[target] == "quantize":
        return torch.empty_like(plain(args[0]))
    settings = {k: plain(v) for k, v in kwargs.items()}
    if meta and not any(isinstance(leaf, Value) for leaf in leaves(args)):
        settings["device"] = "meta"
    with torch.no_grad():
        return target(*[plain(a) for a in args], **settings)


def leaves(item: Any) -> list[Any]:
    """Everything in nested lists and tables."""
    if isinstance(item, dict):
        item = list(item.values())
    return [leaf for v in item for leaf in leaves(v)] if isinstance(item, list | tuple) else [item]


def listed(result: Any) -> list[Tensor]:
    """One result or several, as a list."""
    return list(result) if isinstance(result, list | tuple) else [result]

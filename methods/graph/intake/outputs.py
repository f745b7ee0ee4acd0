"""What a model gives: nested outputs become a flat tuple of named tensors; everything else in them is left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from methods.graph.intake.inputs import Arguments
from methods.graph.intake.names import CaptureError, output_names


def named_outputs(value: Any) -> Iterator[tuple[str, Tensor]]:
    """The tensors in a model's output by name: keys, field names, or positions; everything else is left out."""
    if isinstance(value, Tensor):
        yield "output", value
        return
    found = list(_named(value, ""))
    yield from zip(output_names([path for path, _ in found]), (leaf for _, leaf in found), strict=True)


def _named(value: Any, path: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield path, value
        return
    for key, item in _items(value):
        yield from _named(item, f"{path}_{key}" if path else str(key))


def _items(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(zip(value._fields, value, strict=True))
    if isinstance(value, list | tuple):
        return list(enumerate(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)]
    return []


@dataclass
class Seen:
    """What a model's last run gave. Its own object, since tracing takes back what is assigned to a module."""

    names: tuple[str, ...] = ()


class Flat(nn.Module):
    """A model behind a flat signature: one tensor per input in, a tuple of tensors out; `seen.names` are theirs."""

    def __init__(self, model: nn.Module, arguments: Arguments, keep: Collection[str] | None = None) -> None:
        super().__init__()
        self.model = model
        self.arguments = arguments
        self.keep = None if keep is None else set(keep)
        self.seen = Seen()
        for name, value in arguments.fixed.items():
            self.register_buffer(f"fixed_{name}", value.detach(), persistent=False)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Runs the model on one tensor per input, `[batch, ...]`."""
        fixed = {name: getattr(self, f"fixed_{name}") for name in self.arguments.fixed}
        args, kwargs = self.arguments.fill(inputs, fixed)
        found = dict(named_outputs(self.model(*args, **kwargs)))
        if self.keep is not None:
            self._check_kept(found)
            found = {k: v for k, v in found.items() if k in self.keep}
        if not found:
            raise CaptureError("the model returns no tensor")
        self.seen.names = tuple(found)
        return tuple(found.values())

    def _check_kept(self, found: Mapping[str, Tensor]) -> None:
        missing = sorted((self.keep or set()) - set(found))
        if missing:
            raise CaptureError(f"the model has no output {', '.join(missing)}; it has {', '.join(found)}")

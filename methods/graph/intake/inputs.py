"""What a model takes: nested examples become a flat list of named tensors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from methods.graph.intake.names import CaptureError, Names


@dataclass(frozen=True)
class Slot:
    """Stands for the `index`-th tensor input in a nest of arguments."""

    index: int


@dataclass
class Arguments:
    """An example taken apart: `tensors` by unique name, and `args` / `kwargs` with a Slot where each of them was.

    `fixed` tensors are the same for every sample; they become part of the model.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    tensors: dict[str, Tensor] = field(default_factory=dict)
    fixed: dict[str, Tensor] = field(default_factory=dict)

    def fill(self, inputs: Collection[Tensor], fixed: Mapping[str, Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with these tensors in their places."""
        values = list(inputs)

        def put(item: Any) -> Any:
            return values[item.index] if isinstance(item, Slot) else fixed[item.name]

        return _map(self.args, put), _map(self.kwargs, put)


@dataclass(frozen=True)
class _Fixed:
    name: str


def take_apart(model: nn.Module, example: Any, kwargs: Mapping[str, Any] | None, fixed: Collection[str]) -> Arguments:
    """Sorts an example into named tensors and what stays constant (numbers, flags, None).

    Args:
        example: a tensor, a tuple or list of arguments, or a mapping of keyword arguments. Arguments may be nested.
        kwargs: keyword arguments beside it. fixed: names of inputs that are the same for every sample.

    Raises CaptureError where an input has no batch axis or batch sizes differ.
    """
    given = dict(kwargs or {})
    if isinstance(example, Mapping):
        args: tuple[Any, ...] = ()
        given = {**example, **given}
    else:
        args = tuple(example) if isinstance(example, tuple | list) else (example,)
    found = Arguments((), {})
    names = Names()
    positions = _parameters(model, len(args))
    found.args = tuple(_sort(v, n, found, names, fixed) for n, v in zip(positions, args, strict=True))
    found.kwargs = {k: _sort(v, k, found, names, fixed) for k, v in given.items()}
    missing = set(fixed) - set(found.fixed)
    if missing:
        raise CaptureError(f"fixed names {', '.join(sorted(missing))}, but the inputs are {', '.join(found.tensors)}")
    _check_batch(found)
    return found


def _sort(value: Any, name: str, found: Arguments, names: Names, fixed: Collection[str]) -> Any:
    def put(leaf: Any, path: str) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        unique = names.unique(path)
        if unique in fixed:
            found.fixed[unique] = leaf
            return _Fixed(unique)
        found.tensors[unique] = leaf
        return Slot(len(found.tensors) - 1)

    return _walk(value, name, put)


def _walk(value: Any, path: str, put: Callable[[Any, str], Any]) -> Any:
    if isinstance(value, Mapping):
        made = {k: _walk(v, f"{path}_{k}", put) for k, v in value.items()}
        return made if type(value) is dict else type(value)(made)  # type: ignore[call-arg]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_walk(v, f"{path}_{k}", put) for k, v in zip(value._fields, value, strict=True)))
    if isinstance(value, list | tuple):
        return type(value)(_walk(v, f"{path}_{i}", put) for i, v in enumerate(value))
    return put(value, path)


def _map(value: Any, put: Callable[[Any], Any]) -> Any:
    return _walk(value, "", lambda leaf, _: put(leaf) if isinstance(leaf, Slot | _Fixed) else leaf)


def _parameters(model: nn.Module, count: int) -> list[str]:
    """Names of the first positional parameters of `forward`; `x`, `x_1`, ... where it names none."""
    try:
        parameters = list(inspect.signature(model.forward).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in parameters if p.kind in plain][:count]
    return names + ["x"] * (count - len(names))


def _check_batch(found: Arguments) -> None:
    if not found.tensors:
        raise CaptureError("the example holds no tensor; give one per input, such as torch.zeros(1, 3, 32, 32)")
    first, *_ = found.tensors.items()
    for name, value in found.tensors.items():
        if value.dim() == 0 or value.shape[0] == 0:
            raise CaptureError(
                f"input {name} has the shape {list(value.shape)}: every input needs a batch axis, such as "
                f"[1, 3, 32, 32]; name it in `fixed` if it is the same for every sample"
            )
        if value.shape[0] not in (1, first[1].shape[0]):
            raise CaptureError(
                f"input {name} has {value.shape[0]} rows and {first[0]} has {first[1].shape[0]}: the first axis of "
                f"every input is the batch. If {name} is the same for every sample, name it in `fixed`"
            )

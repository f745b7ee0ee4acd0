"""A tflite program as values: tensors, and operators in order. Tensors are told apart by identity, not by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Scale:
    """How codes stand for numbers: `(code - zero) * scale`, one pair for all or one for each entry of `axis`."""

    scale: tuple[float, ...]
    zero: tuple[int, ...]
    axis: int = 0

    @property
    def per_channel(self) -> bool:
        return len(self.scale) > 1


@dataclass(frozen=True, eq=False)
class Tensor:
    """An activation, or a constant where there is `data`; `dtype` is numpy's name."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    data: Array | None = None
    scale: Scale | None = None


@dataclass(frozen=True, eq=False)
class Operator:
    """One operator: its name in the schema (`CONV_2D`), tensors (None: left out), options by the schema's names."""

    code: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A whole program. Image inputs and outputs (4 axes) have their channels last where `last` names them."""

    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    last: frozenset[str] = frozenset()


def constant(name: str, data: Array, scale: Scale | None = None) -> Tensor:
    """A constant tensor of an array."""
    return Tensor(name, tuple(data.shape), data.dtype.name, np.ascontiguousarray(data), scale)

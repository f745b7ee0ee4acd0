"""The state of a training between two epochs: plain tensors and numbers, so that it can be stored without pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from methods.base import MethodError

HEADER = "state"


@dataclass(frozen=True)
class TrainingState:
    """What a training needs to go on as if it had never stopped.

    Attributes:
        tensors: by name; `model.*` and `best.*` as in the module, `optimiser.<parameter>.*`, `carried.*`, `random`.
        numbers: epochs and steps done, best held-out loss, epochs waited since, and what the training must agree with.
    """

    tensors: dict[str, Tensor]
    numbers: dict[str, float]

    def under(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with a prefix and a dot, without them."""
        return {name[len(prefix) + 1 :]: t for name, t in self.tensors.items() if name.startswith(prefix + ".")}

    def to_bytes(self) -> bytes:
        """As one safetensors file, the numbers in its header."""
        tensors = {name: tensor.contiguous() for name, tensor in self.tensors.items()}
        return save(tensors, {HEADER: json.dumps(self.numbers)})

    @classmethod
    def from_bytes(cls, content: bytes) -> TrainingState:
        """Reads `to_bytes`. Raises MethodError for anything else."""
        try:
            length = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + length])["__metadata__"][HEADER]
            numbers = {str(name): float(value) for name, value in json.loads(header).items()}
            return cls(load(content), numbers)
        except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise MethodError(
                f"this is no state of a training ({type(error).__name__}); start from the beginning"
            ) from error


def flat(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tensors under a prefix."""
    return {f"{prefix}.{name}": tensor.detach().clone() for name, tensor in tensors.items()}

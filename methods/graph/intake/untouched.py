"""untouched: lets a model run and be traced without anything of it changing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

TABLES = ("_parameters", "_buffers", "_modules")


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Puts modes, attributes, buffers and the random generator back afterwards; copies no weight.

    Modules that can't be deep-copied, and models that nearly fill the memory, can be traced this way.
    """
    attributes = [(m, dict(m.__dict__), {t: dict(m.__dict__[t]) for t in TABLES}) for m in model.modules()]
    buffers = [(b, b.detach().clone()) for b in model.buffers()]
    gradients = [(p, p.requires_grad) for p in model.parameters()]
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        for module, before, tables in attributes:
            _restore(module.__dict__, before)
            for name, table in tables.items():
                _restore(module.__dict__[name], table)
        with torch.no_grad():
            for buffer, value in buffers:
                if not torch.equal(buffer, value):
                    buffer.copy_(value)
        for parameter, required in gradients:
            parameter.requires_grad_(required)


def _restore(table: dict[str, Any], before: dict[str, Any]) -> None:
    for name in [n for n in table if n not in before]:
        del table[name]
    for name, value in before.items():
        if table.get(name) is not value:
            table[name] = value

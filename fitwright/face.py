"""compress: one call that captures, searches and returns, for scripts and notebooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from methods.graph.file import write
from methods.graph.intake.capture import Example, capture
from methods.graph.ir import Graph
from methods.graph.module import GraphModule, load
from search.context import open_context
from search.run import run_search


@dataclass(frozen=True)
class Compressed:
    """What `compress` gives back: the outcome document, and the bundle where a model was found."""

    outcome: Mapping[str, Any]
    folder: Path

    @property
    def feasible(self) -> bool:
        return bool(self.outcome["outcome"] == "feasible")

    def load(self) -> GraphModule:
        """The compressed model as a trainable module."""
        return load(self.folder / "model.fwm")


def compress(
    model: nn.Module | Graph | Path | str,
    example: Example | None = None,
    *,
    data: Path | str,
    device: str,
    limits: Mapping[str, str],
    out: Path | str = "fitwright-out",
    evaluations: int = 40,
    seed: int = 0,
    **more: Any,
) -> Compressed:
    """Searches for the most accurate version of `model` that keeps the limits on a device, in this process.

    Args:
        model: a module (with `example`: what it is called with, see `capture`), a Graph, or a model file.
        data: a built-in name, an .npz, or a folder of images per class. device: an id of `fitwright devices`.
        limits: such as `{"latency": "0.5x", "size": "200kB"}`. out: folder for the bundle.
        more: further fields of a search request (`strategy`, `methods`, `recovery_epochs`).

    Raises GraphError, DataError, SearchError or HardwareModelError with a sentence that names the trouble.
    """
    out = Path(out)
    request = {"device": device, "limits": dict(limits), "evaluations": evaluations, "seed": seed, "dataset": str(data)}
    context = open_context(request | more, _model_file(model, example, out), data)
    return Compressed(run_search(context, out), out)


def _model_file(model: nn.Module | Graph | Path | str, example: Example | None, out: Path) -> Path:
    if isinstance(model, Path | str):
        return Path(model)
    if isinstance(model, nn.Module):
        if example is None:
            raise TypeError("compress needs an example input beside a module, such as torch.zeros(1, 3, 32, 32)")
        model = capture(model, example)
    path = out.with_name(out.name + "-untouched.fwm")
    path.parent.mkdir(parents=True, exist_ok=True)
    write(model, path)
    return path

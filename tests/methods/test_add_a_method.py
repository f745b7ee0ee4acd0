"""The example in docs/how-to/add-a-method.md is a method that works."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from hwmodels.device import Device
from methods.base import BadChoice, Data
from methods.graph.file import packed_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.values import value_of
from tests.zoo.catalogue import network

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-method.md"
DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9}, {}, ())


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's Python block as a module."""
    module = ModuleType("linear_codebook")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(PAGE.read_text().split("```python\n")[1].split("```")[0], module.__dict__)
    return module


def test_the_example_is_a_method(example: ModuleType) -> None:
    """It rounds weights to even steps, makes the file smaller, plans what it does, and refuses what can't be."""
    graph = capture(*network("plain"))
    method, data = example.LinearCodebook(), Data(graph.example(2))
    choices = {site: values[-1] for site, values in method.space(graph, DEVICE).sites.items()}
    result = method.apply(graph, choices, data)
    result.check()
    steps = torch.unique(result.tensor("fc1.weight.codebook")).diff()
    assert torch.allclose(steps, steps[:1], rtol=1e-4)
    weight = graph.tensor("fc1.weight").detach()
    assert torch.equal(method.project(weight, choices["weight:fc1"]), value_of(result, _layer(result, "weight:fc1")))
    assert packed_bytes(result) < packed_bytes(graph) / 2
    planned = [method.rewrite(op, choices)[0].stored_bits for op in lower(graph).ops]
    assert planned == [op.stored_bits for op in lower(result).ops]
    with pytest.raises(BadChoice, match="weight:fc9"):
        method.apply(graph, {"weight:fc9": 4}, data)


def _layer(graph: Graph, site: str) -> object:
    return next(use.node.args[1] for use in graph.weight_uses() if use.site == site)

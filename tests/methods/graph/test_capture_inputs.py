"""Capture of models with several, nested, optional and named inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from methods.graph.intake.capture import CaptureError, capture
from methods.graph.module import GraphModule
from tests.methods.graph.networks_capture import Adjacent, Structured

IDS, MASK = torch.randint(0, 9, (2, 5)), torch.ones(2, 5, dtype=torch.int64)
BIAS = {"bias": torch.randn(2, 4)}


@pytest.mark.parametrize(
    ("example", "kwargs", "names"),
    [
        (IDS, None, ["input_ids"]),
        ((IDS, None, BIAS), None, ["input_ids", "extra_bias"]),
        ({"input_ids": IDS, "mask": MASK}, None, ["input_ids", "mask"]),
        ((IDS,), {"extra": BIAS, "mask": MASK}, ["input_ids", "extra_bias", "mask"]),
    ],
    ids=["tensor", "optional and nested", "mapping", "both"],
)
def test_inputs_are_named_as_the_user_names_them(
    example: Any, kwargs: Mapping[str, Any] | None, names: list[str]
) -> None:
    """Arguments of forward, keys of dictionaries; what is None becomes part of the model."""
    graph = capture(Structured(), example, kwargs=kwargs)
    assert [s.name for s in graph.inputs] == names
    graph.check()


def test_outputs_are_named_by_fields_and_keys() -> None:
    """Fields of a dataclass, positions in its tuple; what is no tensor is left out."""
    graph = capture(Structured(), IDS)
    assert graph.output_names == ("logits", "hidden_0", "hidden_1")
    assert [tuple(o.shape) for o in graph(IDS)] == [(2, 5, 2), (2, 5, 4), (2, 4)]


def test_outputs_can_be_chosen() -> None:
    """Only those named are kept; a name that isn't there is refused with those that are."""
    assert capture(Structured(), IDS, outputs=["hidden_1"]).output_names == ("hidden_1",)
    with pytest.raises(CaptureError, match="no output cache; it has logits, hidden_0, hidden_1"):
        capture(Structured(), IDS, outputs=["cache"])


def test_integers_span_what_they_index() -> None:
    """Tokens go up to the embedding's rows whatever the example holds, masks to their own largest value."""
    graph = capture(Structured(), {"input_ids": IDS, "mask": MASK})
    assert [s.values for s in graph.inputs] == [11, 2]


def test_an_input_that_all_samples_share_becomes_a_buffer() -> None:
    """Named in `fixed`; without that the message says so."""
    nodes, adjacency = torch.randn(1, 6, 3), torch.rand(6, 6)
    graph = capture(Adjacent(), (nodes, adjacency), fixed=["adjacency"])
    assert [s.name for s in graph.inputs] == ["nodes"]
    assert torch.equal(dict(graph.module.named_buffers())["fixed_adjacency"], adjacency)
    with pytest.raises(CaptureError, match=r"adjacency has 6 rows and nodes has 1.*`fixed`"):
        capture(Adjacent(), (nodes, adjacency))


def test_a_loaded_network_takes_its_inputs_by_name() -> None:
    """In any order; a missing or an unknown one is refused with the names."""
    network = GraphModule(capture(Structured(), {"input_ids": IDS, "mask": MASK}, outputs=["logits"]))
    assert torch.equal(network(mask=MASK, input_ids=IDS), network(IDS, MASK))
    for wrong in ({}, {"maks": MASK}):
        with pytest.raises(TypeError, match="takes input_ids, mask, one tensor each"):
            network(IDS, **wrong)


def test_an_output_whose_other_sizes_follow_the_batch_is_refused() -> None:
    """Similarities of all pairs in a batch, say, are no output per sample."""

    class Pairs(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"pairs": x @ x.t(), "states": x}

    with pytest.raises(CaptureError, match=r"output pairs has the sizes \[1\] .* \[3\] for three"):
        capture(Pairs(), torch.randn(1, 4))
    assert capture(Pairs(), torch.randn(1, 4), outputs=["states"]).output_names == ("states",)


class Odd(nn.Module):
    """Arguments named as Python's own words, outputs under names that are no identifiers, one of them twice."""

    def forward(self, input: Tensor, *, lambda_: Tensor) -> dict[Any, Tensor]:
        return {"a-b": input, "a b": lambda_, "class": input + lambda_, 4: input * 2}


def test_names_become_unique_identifiers() -> None:
    """What a file or Python can't hold as a name is written another way."""
    x = torch.randn(1, 3)
    graph = capture(Odd(), {"input": x, "lambda_": x})
    assert graph.output_names == ("a_b", "a_b_1", "class_", "output_4")
    assert [s.name for s in graph.inputs] == [n.name for n in graph.nodes if n.op == "placeholder"]


@pytest.mark.parametrize("example", [torch.tensor(1.0), torch.zeros(0, 4), (), ("text",)])
def test_examples_need_a_batch_axis(example: Any) -> None:
    """A scalar, an empty batch and no tensor at all are refused with what would be right."""
    with pytest.raises(CaptureError, match=r"torch.zeros\(1, 3, 32, 32\)|batch axis, such as \[1, 3, 32, 32\]"):
        capture(nn.Linear(4, 2), example)

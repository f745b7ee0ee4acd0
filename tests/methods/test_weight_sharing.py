"""Weight sharing."""

from __future__ import annotations

import pytest
import torch

from hwmodels.device import Device
from methods.base import Data, MethodError
from methods.graph.file import from_bytes, packed_bytes, to_bytes
from methods.graph.intake.capture import capture
from methods.graph.surgery.edit import difference
from methods.weight_sharing import WeightSharing
from tests.zoo.catalogue import network

DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9}, {}, ())
NONE = Data((torch.zeros(0),))


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_a_weight_has_no_more_values_than_its_codebook(bits: int) -> None:
    """And each is the centre nearest to what it was."""
    graph = capture(*network("plain"))
    shared = WeightSharing().apply(graph, {"weight:fc1": bits}, NONE)
    book, indices = shared.tensor("fc1.weight.codebook").detach(), shared.tensor("fc1.weight.indices")
    assert book.numel() <= 2**bits
    old = graph.tensor("fc1.weight").detach().reshape(-1, 1)
    assert float(((old - book[indices.long()][:, None]).abs() - (old - book).abs().amin(1, keepdim=True)).max()) < 1e-6


def test_gradients_of_shared_weights_add_up_at_the_codebook() -> None:
    """As in the paper: the gradient of a centre is the sum over its weights."""
    graph = capture(*network("plain"))
    shared = WeightSharing().apply(graph, {"weight:fc2": 2}, NONE)
    twin = graph.clone()
    indices = shared.tensor("fc2.weight.indices").long()
    with torch.no_grad():
        twin.tensor("fc2.weight").copy_(shared.tensor("fc2.weight.codebook")[indices].reshape(5, 20))
    for each in (shared, twin):
        each(*graph.example(4))[0].square().sum().backward()
    expected = torch.zeros(4).index_add_(0, indices, twin.tensor("fc2.weight").grad.reshape(-1))
    torch.testing.assert_close(shared.tensor("fc2.weight.codebook").grad, expected)


def test_files_get_smaller_and_come_back_the_same() -> None:
    """Three bits for every large weight: less than a fifth of the file, and not a bit different when read again."""
    graph = capture(*network("plain"))
    shared = WeightSharing().apply(graph, {"weight:conv2": 3, "weight:fc1": 3}, NONE)
    again = from_bytes(to_bytes(shared))
    assert difference(shared, again, graph.example(3)) == 0
    assert packed_bytes(shared) - packed_bytes(again) == 0
    assert packed_bytes(shared) < packed_bytes(graph) * 0.45


def test_widths_that_save_nothing_are_not_offered() -> None:
    """A codebook of 256 values is no help for 72 weights."""
    sites = WeightSharing().space(capture(*network("plain")), DEVICE).sites
    assert sites["weight:conv1"] == (0, 5, 4, 3, 2)
    assert sites["weight:fc1"] == (0, 8, 6, 5, 4, 3, 2)


def test_a_weight_that_is_not_finite_is_refused() -> None:
    """With its site."""
    graph = capture(*network("plain"))
    with torch.no_grad():
        graph.tensor("fc1.weight")[0, 0] = float("inf")
    with pytest.raises(MethodError, match=r"weight:fc1.*not finite"):
        WeightSharing().apply(graph, {"weight:fc1": 4}, NONE)

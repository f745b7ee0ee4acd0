"""What all methods with sets of levels have in common: the form holds, files are exact, bad input is refused."""

from __future__ import annotations

import pytest
import torch

from hwmodels.device import Device
from methods.base import BadChoice, Data, MethodError, Value
from methods.binary import Binary
from methods.dorefa import DoReFa
from methods.graph.file import from_bytes, packed_bytes, to_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph, WeightUse
from methods.graph.onnx_out.export import check_export, export
from methods.graph.surgery.edit import difference
from methods.graph.surgery.forms import mask_weight
from methods.graph.values import value_of
from methods.level_method import LevelMethod
from methods.power_of_two import PowerOfTwo
from methods.quantization import Quantization
from methods.ternary import Ternary
from tests.zoo.catalogue import network

DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9}, {}, ())
CASES: list[tuple[LevelMethod, Value, int]] = [
    (Ternary(), "twn", 3),
    (Ternary(threshold=0.0, per_channel=True), "twn", 3),
    (Ternary(), "ttq", 3),
    (Binary(), "binary", 2),
    (Binary(scale="layer"), "xnor", 2),
    (PowerOfTwo(), 3, 7),
    (PowerOfTwo(incremental=True), 5, 17),
    (DoReFa(), "w2", 4),
    (DoReFa(), "w1a2", 2),
]
EVERY = pytest.mark.parametrize(("method", "value", "count"), CASES, ids=lambda c: str(c)[:24])
SITE = "weight:conv2"


def formed(method: LevelMethod, value: Value, name: str = "plain") -> tuple[Graph, Graph, Data]:
    """A network, the same with one layer on levels, and samples."""
    graph = capture(*network(name))
    data = Data(graph.example(8), torch.arange(8) % 5)
    return graph, method.apply(graph, {SITE: value}, data), data


def layer(graph: Graph) -> WeightUse:
    return next(use for use in graph.weight_uses() if use.site == SITE)


def rows(graph: Graph) -> list[int]:
    """How many values each output channel of the layer has."""
    return [len(row.unique()) for row in value_of(graph, layer(graph).node.args[1])]


@EVERY
def test_the_form_holds_in_training_and_weights_behind_it_move(method: LevelMethod, value: Value, count: int) -> None:
    """Two steps: no channel has more values than levels, and the full weights are no longer what they were."""
    graph, small, data = formed(method, value)
    optimizer = torch.optim.SGD(small.module.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(small(*data.inputs)[0], data.labels).backward()  # type: ignore[arg-type]
        optimizer.step()
    assert max(rows(small)) <= count
    assert not torch.equal(small.tensor("conv2.weight"), graph.tensor("conv2.weight"))


@EVERY
def test_files_and_exports_compute_the_same(method: LevelMethod, value: Value, count: int) -> None:
    """A file is read back without a difference and is smaller; onnxruntime agrees."""
    graph, small, data = formed(method, value)
    assert difference(small, from_bytes(to_bytes(small)), data.inputs) == 0
    assert packed_bytes(small) < packed_bytes(graph)
    assert check_export(small, export(small)) < 1e-4


@EVERY
def test_masked_weights_stay_zero_or_are_refused(method: LevelMethod, value: Value, count: int) -> None:
    """Where zero is a level a mask holds; where it is none the message says what to take instead."""
    graph, _, data = formed(method, value)
    mask = torch.rand(graph.tensor("conv2.weight").shape, generator=torch.Generator().manual_seed(0)) < 0.5
    mask_weight(graph, layer(graph), mask)
    if count % 2 == 0:
        with pytest.raises(MethodError, match=rf"{SITE}.*mask.*use ternary or power-of-two"):
            method.apply(graph, {SITE: value}, data)
        return
    small = method.apply(graph, {SITE: value}, data)
    found = value_of(small, layer(small).node.args[1])
    assert not found[~mask].any()
    assert found[mask].any()


@EVERY
def test_broken_weights_are_refused_and_constant_ones_kept(method: LevelMethod, value: Value, count: int) -> None:
    """With the site; a weight of one number is the same number again, of zeros zeros."""
    graph, _, data = formed(method, value)
    for number in (0.5, 0.0):
        graph.set_tensor("conv2.weight", torch.full_like(graph.tensor("conv2.weight"), number))
        found = method.apply(graph, {SITE: value}, data)
        torch.testing.assert_close(value_of(found, layer(found).node.args[1]), graph.tensor("conv2.weight").detach())
    graph.set_tensor("conv2.weight", torch.full_like(graph.tensor("conv2.weight"), float("nan")))
    with pytest.raises(MethodError, match=rf"{SITE}.*NaN"):
        method.apply(graph, {SITE: value}, data)


@EVERY
def test_a_layer_of_one_channel_takes_the_form(method: LevelMethod, value: Value, count: int) -> None:
    """One output, one input, one number a side."""
    graph = capture(torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Linear(1, 2)), (torch.randn(4, 3),))
    data = Data(graph.example(4))
    small = method.apply(graph, {"weight:0": value, "weight:1": value}, data)
    small.check()
    for use in small.weight_uses():
        assert torch.isfinite(value_of(small, use.node.args[1])).all()


@pytest.mark.parametrize("method", [Ternary(), Binary(), PowerOfTwo(), DoReFa()], ids=lambda m: m.name)
def test_first_and_last_layers_are_offered_only_when_asked_for(method: LevelMethod) -> None:
    """As in the papers; a recipe that names them gets them either way."""
    graph = capture(*network("plain"))
    inner, every = (type(method)(ends=ends).space(graph, DEVICE).sites for ends in (False, True))
    assert set(every) - set(inner) == {"weight:conv1", "weight:fc2"}
    strongest = {site: values[-1] for site, values in every.items() if site == "weight:fc2"}
    assert layer(method.apply(graph, strongest, Data(graph.example(4))))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ternary(threshold=-1.0), "threshold of 0 or more"),
        (lambda: Ternary(share=1.0), "between 0 and 1"),
        (lambda: Binary(scale="median"), "channel, layer, fan-in, one"),
        (lambda: DoReFa(clip=float("inf")), "clip of 0 or more"),
        (lambda: DoReFa(observer="eye"), "min-max"),
    ],
)
def test_settings_out_of_range_are_refused(make: object, message: str) -> None:
    """With what they may be."""
    with pytest.raises(MethodError, match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("method", "value"), [(PowerOfTwo(), 1), (PowerOfTwo(), 9), (Ternary(), "w2"), (DoReFa(), "w9"), (DoReFa(), "w0a2")]
)
def test_values_that_a_form_lacks_are_refused(method: LevelMethod, value: Value) -> None:
    """Before anything is changed, with the site."""
    graph = capture(*network("plain"))
    with pytest.raises(BadChoice, match=SITE):
        method.apply(graph, {SITE: value}, Data(graph.example(4)))


@EVERY
def test_a_weight_takes_one_set_of_levels(method: LevelMethod, value: Value, count: int) -> None:
    """A second one is refused with the reason; int8 arithmetic may come on top."""
    _, small, data = formed(method, value)
    with pytest.raises(BadChoice, match=f"{SITE}: its weight has another form already"):
        Ternary().apply(small, {SITE: "twn"}, data)
    both = Quantization().apply(small, {SITE: "int8"}, data)
    assert difference(small, both, data.inputs) < 0.05

"""Peak memory by liveness, against plans worked out by hand."""

from dataclasses import replace

import pytest

from hwmodels.base import HardwareModelError
from hwmodels.device import Device
from hwmodels.memory import peak_activation_bytes, peak_bytes, stored_bytes
from hwmodels.workload import Op, TensorSpec, Workload
from tests.hwmodels.ops import chain, linear, plain

HALF = Device("half", "", "analytical", "roofline", {}, {}, (), storage_bits={32: 16})


def op(name: str, reads: dict[str, int], writes: dict[str, int]) -> Op:
    """An operator on activations of the given bytes."""
    inputs = tuple(TensorSpec((n,), 8) for n in reads.values())
    outputs = tuple(TensorSpec((n,), 8) for n in writes.values())
    return Op(name, "elementwise", inputs, outputs, reads=tuple(reads), writes=tuple(writes))


def test_a_chain_needs_its_widest_neighbours() -> None:
    """In a chain only an operator's own input and output are live."""
    workload = chain(
        linear(inputs=100, outputs=300), linear("b", inputs=300, outputs=200), plain("c", "data", (1, 200))
    )
    assert peak_activation_bytes(workload) == 500


def test_a_skip_connection_stays_live() -> None:
    """An activation that is read again later counts until then."""
    ops = (
        op("a", {"x": 10}, {"a": 100}),
        op("b", {"a": 100}, {"b": 70}),
        op("c", {"b": 70}, {"c": 60}),
        op("add", {"a": 100, "c": 60}, {"sum": 60}),
    )
    assert peak_activation_bytes(Workload(ops, ("x",), ("sum",))) == 100 + 70 + 60


def test_outputs_live_to_the_end_and_inputs_from_the_start() -> None:
    """A network's output is kept while the rest runs, its input from the first operator on."""
    ops = (op("a", {"x": 10}, {"early": 100}), op("b", {"x": 10}, {"b": 20}), op("c", {"b": 20, "y": 7}, {"late": 30}))
    assert peak_activation_bytes(Workload(ops, ("x", "y"), ("early", "late"))) == 7 + 100 + 20 + 30
    assert peak_activation_bytes(Workload(ops, ("x", "y"), ("late",))) == 10 + 7 + 100


def test_nothing_is_done_in_place() -> None:
    """An activation function holds both its input and its output."""
    assert peak_activation_bytes(chain(plain("relu", "elementwise", (1, 40)))) == 80


def test_a_dead_value_is_live_while_it_is_written() -> None:
    """A value that nobody reads takes room once."""
    ops = (op("a", {"x": 10}, {"kept": 5, "dead": 50}), op("b", {"kept": 5}, {"out": 30}))
    assert peak_activation_bytes(Workload(ops, ("x",), ("out",))) == 65


def test_one_name_stands_for_all_outputs() -> None:
    """Reading a piece of a split keeps the whole alive."""
    split = replace(op("split", {"x": 60}, {"a": 30, "b": 30}), writes=("parts",))
    ops = (split, op("left", {"parts": 30}, {"l": 30}), op("right", {"parts": 30}, {"r": 30}))
    assert peak_activation_bytes(Workload(ops, ("x",), ("l", "r"))) == 60 + 30 + 30


def test_weights_count_separately() -> None:
    """The peak is live activations plus every weight."""
    workload = chain(linear(inputs=10, outputs=20), linear("b", inputs=20, outputs=5))
    assert peak_bytes(workload) == 30 + 10 * 20 + 20 * 5


def test_a_device_may_keep_values_narrower() -> None:
    """float32 takes two bytes on a device that stores it in 16 bits; int8 stays one."""
    assert stored_bytes(TensorSpec((3,), 32), HALF) == 6
    assert stored_bytes(TensorSpec((3,), 8), HALF) == 3
    workload = chain(linear(inputs=10, outputs=20, bits=32))
    assert peak_bytes(workload, HALF) * 2 == peak_bytes(workload)


def test_an_empty_workload_needs_nothing() -> None:
    """No operators, no bytes."""
    assert peak_bytes(Workload(())) == 0


def test_unnamed_activations_are_refused() -> None:
    """An operator whose names and tensors don't match is named, not guessed at."""
    broken = replace(op("add", {"x": 1, "y": 1}, {"z": 1}), reads=())
    with pytest.raises(HardwareModelError, match="operator add has 2 activations but names 0"):
        peak_activation_bytes(Workload((broken,)))

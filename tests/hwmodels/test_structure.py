"""The structure of ONNX programs: what tells two networks apart, and what doesn't."""

from __future__ import annotations

from dataclasses import replace

import onnx
import pytest
from onnx import helper

from hwmodels.base import MeasurementFailed
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.profilers.pt2 import read_pt2
from hwmodels.structure import structure, summary
from tests.onnx_networks import convolutional, endless, quantized, residual

FLOAT = onnx.TensorProto.FLOAT


def text(program: bytes) -> str:
    return structure(program, LOCAL_ONNXRUNTIME)


def powered(exponent: float, name: str = "e") -> bytes:
    """x to some power."""
    value = helper.make_tensor(name, FLOAT, [], [exponent])
    ends = [helper.make_tensor_value_info(n, FLOAT, [1, 4]) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Pow", ["x", name], ["y"])], "power", ends[:1], ends[1:], [value])
    return bytes(helper.make_model(graph).SerializeToString())


def test_weights_and_names_do_not_matter() -> None:
    """The same network trained differently, its values renamed, is the same network."""
    assert text(convolutional(8)) == text(convolutional(8, prefix="other.", seed=7))
    assert text(powered(2.0)) == text(powered(2.0, "another"))


def test_each_difference_in_work_shows() -> None:
    """Widths, operators, an exponent that has a kernel of its own, and precision."""
    programs = [convolutional(8), convolutional(9), residual(8), quantized(8), powered(2.0), powered(0.5), endless()]
    assert len({text(program) for program in programs}) == len(programs)


def test_settings_are_part_of_it() -> None:
    """Batch, threads, precision: the same network under each is another measurement."""
    device, program = LOCAL_ONNXRUNTIME, convolutional()
    others = [replace(device, batch=8), replace(device, threads=2), replace(device, precision="bf16")]
    assert len({structure(program, d) for d in [device, *others]}) == 4


def test_a_summary_counts_the_operators() -> None:
    """One line for people."""
    assert summary(text(residual())).startswith("network of ")
    assert "3 Conv" in summary(text(residual()))
    assert summary(text(residual())).endswith("; onnx batch=1 threads=1 precision=own")


def test_other_bytes_are_refused() -> None:
    """Each form says what it isn't."""
    with pytest.raises(MeasurementFailed, match="no ONNX program"):
        text(b"nothing")
    with pytest.raises(MeasurementFailed, match=r"no program of torch.export"):
        read_pt2(b"nothing")

"""Bundles that were tampered with."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from methods.base import Data
from methods.graph.intake.capture import capture
from search.bundle import BadBundle, onnx_quality
from tests.zoo.catalogue import network


def outside(location: str) -> bytes:
    """An ONNX file that wants a weight from another file."""
    weight = numpy_helper.from_array(np.zeros((4, 4), np.float32), "w")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 4]) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [weight])
    made: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString()
    return made


@pytest.mark.parametrize("location", ["/etc/passwd", "../secret.bin"])
def test_other_files_are_not_read(location: str) -> None:
    """Whatever the path: a bundle's model holds its own weights."""
    graph, data = capture(*network("mlp")), Data((torch.randn(4, 10),))
    assert onnx.load_model_from_string(outside(location)).graph.initializer
    with pytest.raises(BadBundle, match="from another file"):
        onnx_quality(outside(location), graph, data, torch.zeros(4, 4))


def test_what_is_no_onnx_is_refused() -> None:
    """Plain words, no traceback of protobuf."""
    graph, data = capture(*network("mlp")), Data((torch.randn(4, 10),))
    with pytest.raises(BadBundle, match=r"model\.onnx can't be loaded"):
        onnx_quality(b"\x00not a model", graph, data, torch.zeros(4, 4))

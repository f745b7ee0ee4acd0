"""Export: onnxruntime computes what the graph computes."""

from __future__ import annotations

import onnx
import pytest

from methods.graph.capture import capture
from methods.graph.edit import prune
from methods.graph.export import ExportError, check_export, export
from methods.graph.trace import couple
from tests.zoo import EXPORTABLE, network


@pytest.mark.parametrize("name", EXPORTABLE)
def test_onnxruntime_agrees(name: str) -> None:
    """Whole and pruned, at batch sizes 1 and 3, to rounding."""
    graph = capture(*network(name))
    pruned = prune(graph, {site: range(1 + len(g) // 2) for site, g in couple(graph).groups.items()})
    for candidate in (graph, pruned):
        assert check_export(candidate, export(candidate)) < 1e-5


def test_exported_files_are_valid_onnx_with_a_free_batch() -> None:
    """The official checker accepts the file; the first axis is called N."""
    model = onnx.load_from_string(export(capture(*network("residual"))))
    onnx.checker.check_model(model, full_check=True)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    assert model.graph.output[0].type.tensor_type.shape.dim[0].dim_param == "N"


def test_operators_without_a_translation_are_named() -> None:
    """A recurrent layer can be captured and searched on, but not exported yet: the node is named."""
    with pytest.raises(ExportError, match="lstm"):
        export(capture(*network("recurrent")))

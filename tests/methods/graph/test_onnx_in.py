"""ONNX files become Graphs: what our exporter and torch's write comes back, is trained, pruned and exported again."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import pytest
import torch
from onnx import helper

from methods.graph.coupling.trace import couple
from methods.graph.coupling.verify import verify
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.load import load_graph
from methods.graph.nodes_json import BadFile
from methods.graph.onnx_out.export import export
from methods.graph.surgery.edit import prune
from tests.methods.graph.onnx_made import agree, floats, ints, loaded, model, node, saved
from tests.zoo.catalogue import SEVEN, network

TORCH = ("plain", "residual", "dense", "shuffle", "transformer", "recurrent", "swin", "bert", "llama", "gru_deep")


def written_by_torch(name: str, folder: Path, free: bool, opset: int = 17) -> tuple[Path, torch.nn.Module]:
    """A network of the zoo as torch.onnx.export's tracer writes it."""
    made, example = network(name)
    inputs = example if isinstance(example, tuple) else (example,)
    names = [f"x{i}" for i in range(len(inputs))]
    axes = {n: {0: "batch"} for n in names} if free else None
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            made.eval(), inputs, buffer, dynamo=False, input_names=names, dynamic_axes=axes, opset_version=opset
        )
    path = folder / "torch.onnx"
    path.write_bytes(buffer.getvalue())
    return path, made


def back(graph: Graph, folder: Path) -> Graph:
    """The graph through our exporter and our reader."""
    path = folder / "back.onnx"
    path.write_bytes(export(graph))
    return load_graph(path)


@pytest.mark.parametrize("name", SEVEN)
def test_what_our_exporter_writes_comes_back(name: str, tmp_path: Path) -> None:
    """The same numbers, and every layer found again."""
    graph = capture(*network(name))
    again = back(graph, tmp_path)
    for batch in (1, 3):
        example = graph.example(batch)
        torch.testing.assert_close(again(*example), graph(*example), rtol=1e-4, atol=1e-5)
    assert len(list(again.weight_uses())) >= len(list(graph.weight_uses()))


@pytest.mark.parametrize("name", ["plain", "residual"])
def test_channels_are_found_again(name: str, tmp_path: Path) -> None:
    """As many prunable groups as before the trip through ONNX."""
    graph = capture(*network(name))
    assert len(couple(back(graph, tmp_path)).groups) >= len(couple(graph).groups)


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize("free", [True, False])
def test_what_torch_writes_is_read_and_written_again(name: str, free: bool, tmp_path: Path) -> None:
    """With a free batch axis, and with a batch of one that is freed; our own file of it computes the same."""
    path, made = written_by_torch(name, tmp_path, free)
    graph = load_graph(path)
    example = graph.example(3)
    with torch.no_grad():
        torch.testing.assert_close(graph(*example)[0], made(*example), rtol=1e-4, atol=1e-4)
    agree(graph, export(graph), example)


@pytest.mark.parametrize(("name", "opset"), [("residual", 11), ("dense", 13), ("transformer", 16), ("plain", 18)])
def test_other_operator_sets_of_torch(name: str, opset: int, tmp_path: Path) -> None:
    """Layer normalisation is spelled out in small steps before operator set 17."""
    path, made = written_by_torch(name, tmp_path, free=True, opset=opset)
    graph = load_graph(path)
    with torch.no_grad():
        torch.testing.assert_close(graph(*graph.example())[0], made(*graph.example()), rtol=1e-4, atol=1e-4)


def test_names_are_those_of_the_model(tmp_path: Path) -> None:
    """Layers and statistics keep their names; a normalisation that the exporter folded away leaves the layer's."""
    graph = load_graph(written_by_torch("transformer", tmp_path, free=True)[0])
    names = {name for name, _ in graph.module.named_parameters()}
    assert {"embed.weight", "layer.linear1.bias", "layer.norm1.weight", "head.weight", "head.bias"} <= names
    residual = load_graph(written_by_torch("residual", tmp_path, free=True)[0])
    assert {u.site for u in residual.weight_uses()} >= {"weight:conv1", "weight:squeeze", "weight:head"}


def test_a_read_network_trains(tmp_path: Path) -> None:
    """One step of gradient descent lowers the loss."""
    graph = load_graph(written_by_torch("residual", tmp_path, free=True)[0])
    graph.set_training(True)
    torch.manual_seed(0)
    inputs, labels = graph.example(8), torch.randint(0, 5, (8,))
    optimizer = torch.optim.SGD(graph.module.parameters(), lr=0.01)
    losses = []
    for _ in range(4):
        loss = torch.nn.functional.cross_entropy(graph(*inputs)[0], labels)
        losses.append(float(loss))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0]


def test_a_read_network_prunes(tmp_path: Path) -> None:
    """Every group is removable without changing the rest, and the smaller network is written and read again."""
    graph = load_graph(written_by_torch("plain", tmp_path, free=True)[0])
    assert max(verify(graph).values()) < 1e-4
    smaller = prune(graph, {site: range(len(group) // 2) for site, group in couple(graph).groups.items()})
    assert back(smaller, tmp_path).parameter_count == smaller.parameter_count < graph.parameter_count


def test_shapes_computed_in_the_file_fold_to_numbers(tmp_path: Path) -> None:
    """Shape, Gather, Unsqueeze, Concat and Reshape leave one reshape with a free batch."""
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s zero", "n"),
        node("Unsqueeze", "n axes", "front"),
        node("Concat", "front rest", "target", axis=0),
        node("Reshape", "x target"),
    ]
    graph = loaded(tmp_path, nodes, {"x": ["N", 2, 6]}, {"zero": ints(0)[0], "axes": ints(0), "rest": ints(4, -1)})
    assert [str(n.target) for n in graph.nodes if n.op == "call_function"] == ["aten.reshape.default"]


def test_constants_that_repeat_along_the_batch_do_so_at_any_size(tmp_path: Path) -> None:
    """A class token is expanded to the batch and put in front."""
    nodes = [
        node("Shape", "x", "s"),
        node("Slice", "s zero one", "n"),
        node("Concat", "n tail", "size", axis=0),
        node("Expand", "token size", "tokens"),
        node("Concat", "tokens x", axis=1),
    ]
    held = {"zero": ints(0), "one": ints(1), "tail": ints(1, 4), "token": floats(1, 1, 4)}
    loaded(tmp_path, nodes, {"x": ["N", 3, 4]}, held)


def test_reshapes_to_one_sample_are_freed_where_the_batch_is_called_free(tmp_path: Path) -> None:
    """Exporters mark the batch as free and still write the one that they saw into a reshape."""
    made = model([node("Reshape", "x s")], {"x": ["N", 2, 3]}, {"s": ints(1, 6)})
    graph = load_graph(saved(tmp_path, made))
    assert graph(*graph.example(4))[0].shape == (4, 6)


def test_a_branch_whose_condition_is_known_is_taken(tmp_path: Path) -> None:
    """As the tracer writes squeezes of axes that it does not know."""
    sides = [
        helper.make_graph([node(op, "x", "z", name=op)], op, [], [helper.make_empty_tensor_value_info("z")])
        for op in ("Relu", "Neg")
    ]
    made = node("If", "c", then_branch=sides[0], else_branch=sides[1])
    graph = loaded(tmp_path, [made], {"x": ["N", 3]}, {"c": torch.tensor(False).numpy()})
    assert [str(n.target) for n in graph.nodes if n.op == "call_function"] == ["aten.neg.default"]


def test_functions_are_written_out(tmp_path: Path) -> None:
    """A model's own function becomes the nodes that it stands for."""
    body = [node("Relu", "a", "b"), node("Neg", "b", "c")]
    function = helper.make_function("own", "Fold", ["a"], ["c"], body, [helper.make_opsetid("", 17)])
    made = model([helper.make_node("Fold", ["x"], ["y"], domain="own", name="f")], {"x": ["N", 3]})
    made.functions.append(function)
    made.opset_import.append(helper.make_opsetid("own", 1))
    graph = load_graph(saved(tmp_path, made))
    agree(graph, made.SerializeToString(), graph.example(3))


def test_onnx_is_known_by_its_content(tmp_path: Path) -> None:
    """A file with another suffix is read as well."""
    made = saved(tmp_path, model([node("Relu", "x")], {"x": ["N", 3]}), "upload")
    assert load_graph(made).inputs[0].shape == (3,)


def test_what_is_read_is_held_against_onnxruntime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were an operator read wrongly, the file would be refused."""
    from methods.graph.onnx_in import catalogue, ops_activation

    monkeypatch.setitem(catalogue.OPERATORS, "Elu", ops_activation.selu)
    with pytest.raises(BadFile, match="differs from onnxruntime"):
        load_graph(saved(tmp_path, model([node("Elu", "x")], {"x": ["N", 3]})))


def test_a_batch_inside_other_axes_is_refused(tmp_path: Path) -> None:
    """Samples that change each other's results make no network for any batch size."""
    nodes = [node("ReduceMean", "x", "m", axes=[0]), node("Sub", "x m")]
    with pytest.raises(BadFile, match="first axis"):
        load_graph(saved(tmp_path, model(nodes, {"x": ["N", 3]})))

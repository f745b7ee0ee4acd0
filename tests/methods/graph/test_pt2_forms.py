"""`.pt2` files as users write them: keyword inputs, nested outputs, tied and strided weights, nested graphs."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from methods.graph.intake.normalise import normalise
from methods.graph.ir import Graph, GraphError, InputSpec
from methods.graph.load import load_graph
from tests.methods.graph.networks_capture import Cnn, Decoder, Recurrent


def saved(model: nn.Module, args: tuple[Any, ...], path: Path, strict: bool = False, **kwargs: Tensor) -> Path:
    """Exports a model with a free batch axis and saves it, as a user would."""
    free = [{0: Dim.AUTO} if isinstance(x, Tensor) else None for x in (*args, *kwargs.values())]
    program = torch.export.export(model, args, kwargs, dynamic_shapes=free, strict=strict)
    torch.export.save(program, path)
    return path


def names(graph: Graph) -> list[str]:
    return [s.name for s in graph.inputs]


class Pair(nn.Module):
    """An optional and a keyword input, a nested result, a constant, a part without gradient and a write to a view."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.layer = nn.Embedding(9, 4), nn.Linear(4, 2)
        self.register_buffer("scale", torch.tensor([1.0, 2.0, 3.0, 4.0]), persistent=False)

    def forward(self, ids: Tensor, bias: Tensor | None = None, *, mask: Tensor) -> dict[str, Any]:
        x = self.tokens(ids) * self.scale
        with torch.no_grad():
            size = x.norm(dim=-1, keepdim=True) + torch.tensor(0.5)
        x[:, 0] = 1.0
        x = x.mul_(mask.unsqueeze(-1)) / size
        return {"logits": self.layer(x), "more": (x, None), "length": ids.shape[1]}


@pytest.mark.parametrize(("training", "strict"), [(True, False), (False, False), (True, True)])
def test_what_users_export_computes_what_their_model_computes(training: bool, strict: bool, tmp_path: Path) -> None:
    """In either mode, strict or not: values, input names and spans, output names from the file's own description."""
    model = Pair().train(training)
    ids, mask = torch.randint(0, 9, (2, 5)), torch.ones(2, 5)
    graph = load_graph(saved(model, (ids, None), tmp_path / "m.pt2", strict, mask=mask))
    graph.check()
    assert (names(graph), graph.inputs[0].values) == (["ids", "mask"], 9)
    assert graph.output_names == ("logits", "more_0")
    ids, mask = torch.randint(0, 9, (3, 5)), torch.rand(3, 5)
    expected = model.eval()(ids, mask=mask)
    for got, want in zip(graph(ids, mask), (expected["logits"], expected["more"][0]), strict=True):
        assert torch.allclose(got, want, atol=1e-6)


def test_tied_and_strided_weights(tmp_path: Path) -> None:
    """Tied weights are read as one tensor; a transposed one is read with its strides."""
    model = Decoder()
    model.out.weight = nn.Parameter(torch.randn(8, 8).t())
    ids = torch.randint(0, 20, (2, 6))
    graph = load_graph(saved(model.train(), (ids,), tmp_path / "m.pt2"))
    assert torch.equal(graph.tensor("out.weight"), model.out.weight)
    assert graph.parameter_count == sum(p.numel() for p in model.parameters())
    assert torch.allclose(graph(ids)[0], model.eval()(ids), atol=1e-5)


MODELS: dict[str, tuple[Callable[[], nn.Module], Tensor]] = {
    "cnn": (Cnn, torch.randn(2, 1, 7, 7)),
    "decoder": (Decoder, torch.randint(0, 20, (2, 6))),
    "recurrent": (Recurrent, torch.randn(2, 5, 4)),
}


@pytest.mark.parametrize(
    ("name", "layers"), [("cnn", ["conv1", "conv2", "head"]), ("decoder", ["qkv", "wide", "narrow", "tokens"])]
)
def test_decomposed_programs_are_read(name: str, layers: list[str], tmp_path: Path) -> None:
    """After `run_decompositions` layers are found again under their names: convolutions, linear ones, the tied one."""
    make, x = MODELS[name]
    model = make().eval()
    program = torch.export.export(model, (x,), dynamic_shapes=({0: Dim.AUTO},)).run_decompositions()
    torch.export.save(program, tmp_path / "m.pt2")
    graph = load_graph(tmp_path / "m.pt2")
    assert torch.allclose(graph(x[:1])[0], model(x[:1]), atol=1e-5)
    assert {w.weight for w in graph.weight_uses()} >= {f"{layer}.weight" for layer in layers}


def _changed(path: Path, member: str, change: Callable[[Any], None]) -> None:
    """Rewrites one JSON member of an archive."""
    with zipfile.ZipFile(path) as archive:
        members = {i.filename: archive.read(i) for i in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            if name.endswith(member):
                document = json.loads(data)
                change(document)
                data = json.dumps(document).encode()
            archive.writestr(name, data)


def _meta(document: Any, **values: Any) -> None:
    document["config"]["head.weight"]["tensor_meta"].update(values)


def _ints(*sizes: int) -> list[dict[str, int]]:
    return [{"as_int": s} for s in sizes]


@pytest.mark.parametrize(
    ("member", "change", "says"),
    [
        ("weights_config.json", lambda d: _meta(d, strides=_ints(1 << 40, 1)), "3, 6. but 18 numbers"),
        ("weights_config.json", lambda d: _meta(d, strides=_ints(-6, 1)), "strides"),
        ("weights_config.json", lambda d: _meta(d, sizes=_ints(3, 1 << 40), strides=_ints(0, 0)), "but 18 numbers"),
        ("weights_config.json", lambda d: _meta(d, storage_offset={"as_int": 9}), "but 18 numbers"),
        ("model.json", lambda d: d["graph_module"]["graph"]["nodes"][0].update(target="torch.hub.load"), "hub"),
        ("model.json", lambda d: d["graph_module"]["graph"]["nodes"].reverse(), "before it is made"),
        ("model.json", lambda d: d["graph_module"]["signature"]["output_specs"].clear(), "no output"),
    ],
    ids=["beyond", "negative", "blown up", "offset", "operator", "order", "outputs"],
)
def test_what_does_not_fit_is_refused(member: str, change: Callable[[Any], None], says: str, tmp_path: Path) -> None:
    """Views outside their bytes, operators outside the list, values before they are made."""
    make, x = MODELS["cnn"]
    path = saved(make(), (x,), tmp_path / "m.pt2")
    _changed(path, member, change)
    with pytest.raises(GraphError, match=rf"m\.pt2.*{says}"):
        load_graph(path)


class Branch(nn.Module):
    """Control flow as an operator."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda y: y + 1, lambda y: y - 1, (x,))


def test_control_flow_is_refused_by_name(tmp_path: Path) -> None:
    """The operator is named, with the remedy."""
    path = saved(Branch(), (torch.randn(2, 3),), tmp_path / "m.pt2")
    with pytest.raises(GraphError, match="operator 'cond' is not supported; write the branch"):
        load_graph(path)


def test_an_operator_that_cannot_be_replaced_is_refused_by_name() -> None:
    """With its node, and with where to look for what can be used instead."""
    graph = torch.fx.Graph()
    x = graph.placeholder("x")
    graph.output((graph.call_function(torch.ops.aten.nonzero.default, (x,)),))
    with pytest.raises(GraphError, match=r"aten.nonzero.default \(node nonzero_default\) is not supported"):
        normalise(graph, {}, (InputSpec("x", (3,)),))

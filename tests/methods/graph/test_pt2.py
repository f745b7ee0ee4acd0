"""`.pt2` files are read by our own reader; what would run code under torch's loader is refused or ignored."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from methods.graph.ir import GraphError
from methods.graph.load import load_graph
from tests.zoo.catalogue import EXAMPLES, network


def exported(name: str, path: Path, dynamic: bool = True) -> torch.nn.Module:
    """Writes a network of the zoo with torch.export.save, as a user would."""
    model, example = network(name)
    pair = torch.cat([example] * 2)
    shapes = ({0: torch.export.Dim.AUTO},) if dynamic else None
    torch.export.save(torch.export.export(model.train(), (pair,), dynamic_shapes=shapes), path)
    return model.eval()


@pytest.mark.parametrize("name", EXAMPLES)
def test_pt2_computes_what_the_model_computes(name: str, tmp_path: Path) -> None:
    """Saved in training mode by torch, read by us, compared in evaluation mode at another batch size."""
    model = exported(name, tmp_path / "m.pt2")
    graph = load_graph(tmp_path / "m.pt2")
    x = torch.cat([EXAMPLES[name][1]()] * 3)
    with torch.no_grad():
        assert torch.allclose(graph(x)[0], model(x), atol=1e-5)


def test_fixed_batch_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """An export without a free batch axis says how to export again."""
    exported("plain", tmp_path / "m.pt2", dynamic=False)
    with pytest.raises(GraphError, match="dynamic_shapes"):
        load_graph(tmp_path / "m.pt2")


class Canary:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


def _rewrite(source: Path, change: Callable[[str, bytes], bytes]) -> None:
    with zipfile.ZipFile(source) as archive:
        members = {i.filename: archive.read(i) for i in archive.infolist()}
    with zipfile.ZipFile(source, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, change(name, data))


def test_pickled_sample_inputs_are_never_opened(tmp_path: Path) -> None:
    """The pickle that torch's loader executes is not even read: the model loads, the canary stays away."""
    path, canary = tmp_path / "m.pt2", tmp_path / "canary"
    exported("plain", path)
    bomb = pickle.dumps(Canary(canary))
    _rewrite(path, lambda name, data: bomb if "sample_inputs" in name else data)
    load_graph(path).check()
    assert not canary.exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"use_pickle": false', b'"use_pickle": true'),
        (b"torch.ops.aten.linear.default", b"torch.hub.load"),
        (b"torch.ops.aten.linear.default", b"torch.ops.aten.from_file.default"),
    ],
    ids=["pickled weights", "function outside ATen", "operator not allowed"],
)
def test_dangerous_archives_are_refused(old: bytes, new: bytes, tmp_path: Path) -> None:
    """Each is refused by name of the tensor or operator."""
    exported("plain", tmp_path / "m.pt2")
    _rewrite(tmp_path / "m.pt2", lambda _, data: data.replace(old, new))
    with pytest.raises(GraphError, match=r"m\.pt2"):
        load_graph(tmp_path / "m.pt2")


def test_expressions_in_the_json_are_not_evaluated(tmp_path: Path) -> None:
    """Guards and symbolic expressions, which torch's loader evaluates, are ignored."""
    path, canary = tmp_path / "m.pt2", tmp_path / "canary"
    exported("residual", path)
    code = f"__import__('pathlib').Path('{canary}').touch()".encode()
    _rewrite(path, lambda _, data: data.replace(b"Symbol('s77', positive=True, integer=True)", code))
    load_graph(path).check()
    assert not canary.exists()

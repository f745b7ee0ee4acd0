"""What a graph would take is known before it runs, and a zip is held against itself before it is unpacked."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from methods.graph import limits
from methods.graph.archive import open_archive, read_json
from methods.graph.file import from_bytes
from methods.graph.ir import Graph, GraphError
from methods.graph.limits import check_sizes
from methods.graph.nodes_json import BadFile
from tests.hostile import good
from tests.hostile.good import call, inserted


def test_an_honest_graph_passes() -> None:
    """The sound file is within every limit."""
    check_sizes(from_bytes(good.fwm()))


def test_the_largest_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """3 samples of 6 floats take 72 bytes: allowed at 72, refused at 71 with the node's name."""
    graph = from_bytes(good.fwm())
    monkeypatch.setattr(limits, "VALUE_BYTES", 72)
    check_sizes(graph)
    monkeypatch.setattr(limits, "VALUE_BYTES", 71)
    with pytest.raises(GraphError, match=r"node fc \(aten\.linear\.default\) would take"):
        check_sizes(graph)


def test_values_count_only_while_they_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a chain of 40 operators two values of 48 bytes live at one time, beside the input that nobody reads again."""
    chain = [call("aten.relu.default", f"%r{i - 1}" if i else "%x", name=f"r{i}") for i in range(40)]
    graph = from_bytes(inserted(*chain, output="r39"))
    monkeypatch.setattr(limits, "LIVE_BYTES", 36 + 72 * 2 + 48 * 2)
    check_sizes(graph)
    monkeypatch.setattr(limits, "LIVE_BYTES", 95)
    with pytest.raises(GraphError, match="alive beside it"):
        check_sizes(graph)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("first", [True, False])
def test_a_sequence_is_as_long_as_it_is(kind: type[nn.LSTM] | type[nn.GRU], first: bool) -> None:
    """The shortcut over one step gives the shapes of the whole sequence."""
    cell = kind(3, 5, 2, batch_first=first, bidirectional=True)
    sequence = torch.zeros(4, 7, 3)
    state = torch.zeros(4, 4 if first else 7, 5)
    hidden = [state, state] if kind is nn.LSTM else state
    target = torch.ops.aten.lstm.input if kind is nn.LSTM else torch.ops.aten.gru.input
    found = limits._recurrent(target, (sequence, hidden, cell._flat_weights, True, 2, 0.0, False, True, first), {})
    expected = target(sequence, hidden, cell._flat_weights, True, 2, 0.0, False, True, first)
    assert [f.shape for f in found] == [e.shape for e in expected]


def test_a_graph_whose_output_is_no_tensor_is_refused() -> None:
    """A size can't be an output."""
    graph: Graph = from_bytes(inserted(call("aten.sym_size.int", "%x", 1), output="bad"))
    with pytest.raises(GraphError, match="output is not a tensor"):
        graph.check()


def test_archives_of_honest_writers_open(tmp_path: Path) -> None:
    """Torch's own, Python's with 64-bit fields, and one written to a pipe, which has its sizes behind the data."""
    path = tmp_path / "m.pt2"
    path.write_bytes(good.pt2())
    assert open_archive(path).namelist()
    large, piped = io.BytesIO(), Unseekable()
    for stream in (large, piped):
        with zipfile.ZipFile(stream, "w") as archive, archive.open("a", "w", force_zip64=stream is large) as member:
            member.write(b"abc")
        assert open_archive(io.BytesIO(stream.getvalue())).read("a") == b"abc"


class Unseekable(io.BytesIO):
    """A stream that can only be written on and on."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError

    def seek(self, *_: int) -> int:
        raise OSError


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', "[NaN]", "[-Infinity]", "[" * 5000, "{", "9" * 5000])
def test_odd_json_is_refused(text: str) -> None:
    """Repeated keys, numbers that are none, nesting without end."""
    with pytest.raises(BadFile, match="the list"):
        read_json(text.encode(), "the list")

"""`fitwright inspect`: what a model offers, for people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from methods.graph import file
from methods.graph.coupling.trace import couple
from methods.graph.intake.capture import capture
from methods.graph.onnx_out.export import export
from service import cli_inspect, cli_show
from service.cli import run
from tests.zoo.catalogue import network


def test_inspect_shows_a_transformer_in_a_hundred_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Coverage first, then groups by kind, blocks, and what stays with the reason; layers alike are one line."""
    path = tmp_path / "bert.fwm"
    file.write(capture(*network("bert")), path)
    monkeypatch.setattr(cli_show, "PIPED_WIDTH", 100)
    assert run(["inspect", str(path)]) == 0
    told = capsys.readouterr().out
    lines = [line.rstrip() for line in told.splitlines()]
    assert lines[0] == "Over 99 % of the parameters and 100 % of the MACs can be pruned"
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("Attention heads: 8 units in 2 groups, checked to ") for line in lines)
    assert any(line.startswith("heads:layers.{0,1}.attention.query  2 × 4") for line in lines)
    assert any(line.startswith("block:layers.{0,1}.up") for line in lines)
    assert any("1 ×  it is an output of the network" in line for line in lines)


def test_long_tables_are_cut_short_unless_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Two rows of three, and how to see the last one."""
    path = tmp_path / "residual.fwm"
    file.write(capture(*network("residual")), path)
    monkeypatch.setattr(cli_inspect, "ROWS", 2)
    assert run(["inspect", str(path)]) == 0
    short = capsys.readouterr()
    assert "channels:squeeze" not in short.out
    assert "1 more row; --all prints them" in short.err
    assert run(["inspect", str(path), "--all"]) == 0
    assert "channels:squeeze" in capsys.readouterr().out


def test_inspect_reads_onnx(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A file of another tool shows the same groups as the network that it came from."""
    graph = capture(*network("plain"))
    path = tmp_path / "plain.onnx"
    path.write_bytes(export(graph))
    assert run(["inspect", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sorted(g["units"] for g in found["groups"]) == sorted(len(g) for g in couple(graph).groups.values())

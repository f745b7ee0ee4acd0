"""Pieces: what OpenVINO's compiled graph executes, each node with the ONNX nodes that it stands for.

A node whose output the program knows ends a piece. Changes of layout, and what OpenVINO made up on the way, belong to
the piece of the first node that reads them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from hwmodels.parts import FEW
from hwmodels.profilers.openvino_border import FLOATS, KINDS, Border
from hwmodels.profilers.openvino_cut import Cut
from hwmodels.profilers.openvino_frames import framed
from hwmodels.profilers.openvino_text import text
from hwmodels.profilers.runtime_node import RuntimeNode

FREE = frozenset({"Input", "Output", "Reshape"})
"""Types of nodes that take no time of their own: a reshape is another view of the same memory."""

CODES = frozenset({"QuantizeLinear", "DequantizeLinear"})
RECURRENT = frozenset({"RNNSeq", "RNNCell"})


@dataclass(frozen=True)
class Piece(RuntimeNode):
    """A node whose time is that of `model` less that of `frame`, in which `spare` tiny softmaxes stand for ends."""

    frame: bytes = b""
    spare: int = 0


def pieces(program: bytes, told: Mapping[str, Any], settings: str, known: Collection[str] = ()) -> list[Piece]:
    """The pieces of a program of which OpenVINO tells this (`look` of runtimes/openvino.py)."""
    cut, graph, seen, found = Cut(program), _Graph(told), set(known), []
    borders = graph.borders(cut)
    makers = {border.name: border for made in borders.values() for border in made}
    for number, made in borders.items():
        nodes = cut.behind([border.name for border in made], makers)
        given = [makers.get(name) or graph.entry(name) for name in cut.read(nodes)]
        made = [border.plain if border.name in cut.ends else border for border in made]
        sides = " -> ".join(", ".join(border.text for border in side) for side in (given, made))
        signature = (
            f"{graph.kernel(number, borders)} {sides} = {text(nodes, cut.constants)} {settings} {told['precision']}"
        )
        piece = Piece(_name(nodes, made[0]), _part(graph.kernel(number, borders), made[0]), signature)
        if piece.key not in seen:
            seen.add(piece.key)
            piece = Piece(piece.name, piece.op_type, signature, *framed(cut, nodes, given, made, graph.kind(number)))
        found.append(piece)
    return found


def _is_known(border: Border) -> bool:
    """Whether the program and the memory agree on what is stored: numbers or codes, of a type that ONNX has too."""
    known = border.kind in KINDS and border.stored in KINDS
    return known and (border.kind in FLOATS) == (border.stored in FLOATS)


def _name(nodes: Sequence[Any], made: Border) -> str:
    """The last activation that is computed; codes and what they are decoded to are the same one once more."""
    names = [str(node.output[0]) for node in nodes if node.op_type not in CODES]
    return names[-1] if names else made.name


def _part(kernel: str, made: Border) -> str:
    """The type of node; products with few rows are bound by reading the matrix, and unlike others of their kernel."""
    few = kernel.startswith("FullyConnected") and prod(made.shape[:-1]) <= FEW
    return f"{kernel} of few rows" if few else kernel


class _Graph:
    """The nodes that OpenVINO tells of, and the program's activations."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.nodes: Sequence[Mapping[str, Any]] = told["nodes"]
        self.activations: Mapping[str, Any] = told["activations"]

    def borders(self, cut: Cut) -> dict[int, list[Border]]:
        """Number of a node -> the activations that it makes, for every node that the program can be cut behind.

        That is not where OpenVINO keeps whole numbers of which the program knows only what they stand for.
        """
        found = {}
        for number, node in enumerate(self.nodes):
            made = self._ends(cut, node) if node["type"] not in FREE else []
            if made:
                found[number] = made
        return found

    def _ends(self, cut: Cut, node: Mapping[str, Any]) -> list[Border]:
        """The last of a node's activations that are stored as what the program takes them for."""
        for names in cut.makers(node["activations"]):
            made = [self._made(name, node) for name in names if name in self.activations]
            if made and all(_is_known(border) for border in made):
                return made
        return []

    def entry(self, name: str) -> Border:
        """An input of the network."""
        kind, shape = self.activations[name]
        return Border(name, kind, tuple(shape), kind)

    def kind(self, number: int) -> str:
        """OpenVINO's type of the node."""
        return str(self.nodes[number]["type"])

    def kernel(self, number: int, borders: Collection[int]) -> str:
        """Type and implementation of the node that does the most: `Convolution.brgconv_avx512_f32`.

        That is the piece's last node, unless a recurrent one lies within, whose outputs the program doesn't know.
        """
        waiting, inside = [number], [number]
        while waiting:
            waiting = [n for of in waiting for n in self.nodes[of]["reads"] if n not in borders and n not in inside]
            inside += waiting
        most = next((n for n in inside if self.kind(n) in RECURRENT), number)
        return f"{self.kind(most)}.{self.nodes[most]['kernel']}"

    def _made(self, name: str, node: Mapping[str, Any]) -> Border:
        kind, shape = self.activations[name]
        return Border(name, kind, tuple(shape), node["precisions"][0], node["layouts"][0])

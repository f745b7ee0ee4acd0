"""How convolutions, linear layers and matrix products are written in ONNX."""

from __future__ import annotations

from collections.abc import Mapping

from torch import fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.packed import packed_linear
from methods.graph.onnx_out.quantised import bias_of, weight_of
from methods.graph.onnx_out.types import listed


def conv(e: Emitter, node: fx.Node) -> str:
    """Convolutions of one to three axes."""
    rank = len(e.shape(node)) - 2
    weight, scales = weight_of(e, node)
    inputs = [e.value(node.args[0]), weight]
    if (bias := argument(node, "bias")) is not None:
        inputs.append(bias_of(e, node, bias, scales))
    return e.emit(
        "Conv",
        inputs,
        node,
        strides=listed(argument(node, "stride"), rank),
        pads=listed(argument(node, "padding"), rank) * 2,
        dilations=listed(argument(node, "dilation"), rank),
        group=int(argument(node, "groups")),
    )


def conv_transpose(e: Emitter, node: fx.Node) -> str:
    rank = len(e.shape(node)) - 2
    inputs = [e.value(node.args[0]), e.value(node.args[1])]
    if (bias := argument(node, "bias")) is not None:
        inputs.append(e.value(bias))
    return e.emit(
        "ConvTranspose",
        inputs,
        node,
        strides=listed(argument(node, "stride"), rank),
        pads=listed(argument(node, "padding"), rank) * 2,
        output_padding=listed(argument(node, "output_padding"), rank),
        group=int(argument(node, "groups")),
        dilations=listed(argument(node, "dilation"), rank),
    )


def linear(e: Emitter, node: fx.Node) -> str:
    if (packed := packed_linear(e, node)) is not None:
        return packed
    bias = argument(node, "bias")
    flat = len(e.shape(node.args[0])) == len(e.shape(node.args[1])) == 2
    weight, scales = weight_of(e, node, transpose=not flat and len(e.shape(node.args[1])) == 2)
    if flat:
        inputs = [e.value(node.args[0]), weight] + ([] if bias is None else [bias_of(e, node, bias, scales)])
        return e.emit("Gemm", inputs, node, transB=1)
    if bias is None:
        return e.emit("MatMul", [e.value(node.args[0]), weight], node)
    return e.emit("Add", [e.emit("MatMul", [e.value(node.args[0]), weight]), e.value(bias)], node)


def matmul(e: Emitter, node: fx.Node) -> str:
    return e.emit("MatMul", [e.value(a, e.dtype(node)) for a in node.args[:2]], node)


def einsum(e: Emitter, node: fx.Node) -> str:
    """One Einsum; onnxruntime wants no spaces and the result written out, which torch leaves open."""
    equation, operands = str(node.args[0]).replace(" ", ""), node.args[1]
    if "->" not in equation:
        letters = [c for c in equation if c.isalpha()]
        once = "".join(sorted({c for c in letters if letters.count(c) == 1}))
        equation += "->" + ("..." if "..." in equation else "") + once
    names = [e.value(a, e.dtype(node)) for a in operands]  # type: ignore[union-attr]
    return e.emit("Einsum", names, node, equation=equation)


TABLE: Mapping[str, Translator] = (
    dict.fromkeys(("conv1d", "conv2d", "conv3d"), conv)
    | dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), conv_transpose)
    | dict.fromkeys(("matmul", "bmm", "mm"), matmul)
    | {"linear": linear, "einsum": einsum}
)

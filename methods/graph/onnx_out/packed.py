"""Linear layers with 4-bit weights and floats otherwise: `MatMulNBits`, which onnxruntime runs on the packed codes.

Codes lie in blocks along the input axis, a scale each; narrower codes (2 and 3 bits) travel in 4 bits, the only width
whose kernel is exact. It is no faster than floats on a CPU: 1.2 to 1.6 times the time at batch 1 and up to 3 times at
batch 4 (1024 x 1024, one thread), for a sixth to a quarter of the bytes. What doesn't fit is written as floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, fx

from methods.graph.ir import Graph, WeightUse, value_shapes
from methods.graph.nodes import argument, name_of
from methods.graph.onnx_out.emitter import Emitter
from methods.graph.onnx_out.quantised import in_codes
from methods.graph.onnx_out.types import to_numpy
from methods.graph.surgery.settle import settled
from methods.graph.weight_chain import chain_of

DOMAIN = "com.microsoft"
BITS, MIDDLE = 4, 8
"""Bits of a packed code, and the code of zero where there are no zero points."""
BLOCKS = (16, 32, 64, 128)
"""Weights of a block that kernels know, at least 16 and a power of two."""


@dataclass(frozen=True)
class Layout:
    """A packed weight: `out` outputs of `inputs` weights, `per_scale` of them to a scale, in blocks of `block`."""

    out: int
    inputs: int
    per_scale: int
    block: int


def layout_of(layer: fx.Node, shape: tuple[int, ...], axes: int) -> Layout | None:
    """How a layer's weight of this shape can be packed; None where it can't. `axes`: of the layer's input."""
    chain = chain_of(layer.args[1]) if name_of(layer) == "linear" and axes > 1 else None
    rounding = chain.rounding if chain is not None else None
    if rounding is None or name_of(rounding) != "fake_quantize_per_channel_affine" or in_codes(layer):
        return None
    low, high = int(argument(rounding, "quant_min")), int(argument(rounding, "quant_max"))
    per_scale = _per_scale(layer, rounding, shape)
    fits = [b for b in BLOCKS if per_scale == shape[1] or per_scale % b == 0]
    if low < -MIDDLE or high >= MIDDLE or int(argument(rounding, "axis")) != 0 or not fits:
        return None
    block = min(fits, key=lambda size: -(-shape[1] // size) * (size // 2 + 4))
    return Layout(shape[0], shape[1], per_scale, block)


def _per_scale(layer: fx.Node, rounding: fx.Node, shape: tuple[int, ...]) -> int:
    """Weights that share a scale: what the reshape in front of the quantiser says, where there is one."""
    source = rounding.args[0]
    grouped = layer.args[1] is not rounding and isinstance(source, fx.Node) and name_of(source) in ("reshape", "view")
    return int(source.args[1][1]) if grouped else shape[1]  # type: ignore[union-attr, index, arg-type]


def packed_linear(e: Emitter, node: fx.Node) -> str | None:
    """The layer as one packed product, bias added; None where it has to be written in another way."""
    weight = node.args[1]
    layout = layout_of(node, e.shape(weight), len(e.shape(node.args[0]))) if weight in e.constants else None
    if layout is None:
        return None
    rounding = chain_of(weight).rounding  # type: ignore[union-attr]
    bias = argument(node, "bias")
    product = e.emit(
        "MatMulNBits",
        [e.value(node.args[0]), *_operands(e, node, rounding, layout)],
        node if bias is None else None,
        domain=DOMAIN,
        K=layout.inputs,
        N=layout.out,
        bits=BITS,
        block_size=layout.block,
    )
    return product if bias is None else e.emit("Add", [product, e.value(bias)], node)


def _operands(e: Emitter, node: fx.Node, rounding: Any, layout: Layout) -> list[str]:
    """Packed codes `[out, blocks, bytes]`, scales `[out * blocks]` and, where they are not all zero, zero points."""
    values, scale, zero = (e.fold(argument(rounding, a)).detach() for a in ("self", "scale", "zero_point"))
    rows = values.reshape(len(scale), -1).float()
    codes = (rows * (1.0 / scale)[:, None]).round() + zero[:, None]
    codes = codes.clamp(argument(rounding, "quant_min"), argument(rounding, "quant_max")).reshape(layout.out, -1)
    blocks = -(-layout.inputs // layout.block)
    scales, points = (to_numpy(_per_block(t, layout, blocks)) for t in (scale, zero))
    points = (points.astype(np.int64) + MIDDLE).astype(np.uint8)
    padded = np.repeat(points, layout.block, axis=1)
    padded[:, : layout.inputs] = to_numpy(codes).astype(np.int64) + MIDDLE
    packed = nibbles(padded.reshape(layout.out, blocks, layout.block))
    found = [e.constant(packed, f"{node.name}/codes")]
    found.append(e.constant(scales.astype(np.float32).reshape(-1), f"{node.name}/scales"))
    if (points == MIDDLE).all():
        return found
    return [*found, e.constant(nibbles(np.pad(points, ((0, 0), (0, blocks % 2)))).reshape(-1), f"{node.name}/zeros")]


def _per_block(values: Tensor, layout: Layout, blocks: int) -> Tensor:
    """One entry for each block `[out, blocks]`, of one for each scale."""
    rows = values.reshape(layout.out, -1)
    return rows.repeat_interleave(-(-blocks // rows.shape[1]), dim=1)[:, :blocks]


def nibbles(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two codes of 4 bits to a byte along the last axis, the first in the lower half."""
    return np.asarray(codes[..., 0::2] | (codes[..., 1::2] << 4), dtype=np.uint8)


def runs_packed(graph: Graph) -> dict[str, bool]:
    """Site -> whether an exported file holds its weights as codes that the runtime computes on.

    For every layer whose weight is rounded, to levels or codebooks too. Those that aren't are written as floats: they
    gain in storage (`.fwm`) only.
    """
    graph = settled(graph)
    found = {use.site: True for use in graph.weight_uses() if _is_rounded(use)}
    shapes = value_shapes(graph, 1)
    for use in graph.weight_uses():
        if use.site in found:
            source, weight = (shapes[node.name][0] for node in use.node.all_input_nodes[:2])
            packed = in_codes(use.node) or layout_of(use.node, weight, len(source)) is not None
            found[use.site] = found[use.site] and packed
    return found


def _is_rounded(use: WeightUse) -> bool:
    chain = chain_of(use.node.args[1])
    return chain is not None and (chain.rounding is not None or chain.kind == "codebook")

"""Layers with weights: convolutions, linear layers in their many spellings, einsum."""

from __future__ import annotations

from typing import Any

from methods.graph.onnx_in.op import Op
from methods.graph.onnx_in.ops_lookup import padded
from methods.graph.onnx_in.ops_math import combine
from methods.graph.onnx_in.values import Value

CONVOLUTIONS = ("conv1d.default", "conv2d.default", "conv3d.default")
TRANSPOSED = ("conv_transpose1d.default", "conv_transpose2d.input", "conv_transpose3d.input")


def window(op: Op, kernel: list[int], sizes: list[Any]) -> tuple[list[int], list[int], list[int], list[int]]:
    """Strides, dilations and the padding in front and behind of a sliding window, `auto_pad` worked out."""
    rank = len(kernel)
    strides, dilations = op.ints("strides", [1] * rank), op.ints("dilations", [1] * rank)
    mode, pads = op.text("auto_pad", "NOTSET"), op.ints("pads", [0] * 2 * rank)
    if len(strides) != rank or len(dilations) != rank or len(pads) != 2 * rank:
        raise op.bad(f"its strides, dilations or pads do not fit a window of {rank} axes")
    before, after = pads[:rank], pads[rank:]
    if mode == "VALID":
        return strides, dilations, [0] * rank, [0] * rank
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        for i in range(rank):
            reach = (kernel[i] - 1) * dilations[i] + 1
            total = max(0, (-(-sizes[i] // strides[i]) - 1) * strides[i] + reach - sizes[i])
            small, large = total // 2, total - total // 2
            before[i], after[i] = (small, large) if mode == "SAME_UPPER" else (large, small)
    return strides, dilations, before, after


def spatial(op: Op) -> list[int]:
    """The sizes of all axes behind the channels; they may not follow the batch."""
    rank = op[0].rank - 2
    if not 1 <= rank <= 3:
        raise op.bad(f"works on [batch, channels] and 1 to 3 axes more, not on {op[0].rank} axes")
    return [op[0].static(i + 2) for i in range(rank)]


def conv(op: Op) -> Value:
    weight = op[1]
    kernel = [weight.static(i + 2) for i in range(weight.rank - 2)]
    value, sizes = op[0], spatial(op)
    if len(kernel) != len(sizes):
        raise op.bad(f"its weight has {len(kernel)} axes behind the channels, its input {len(sizes)}")
    strides, dilations, before, after = window(op, kernel, sizes)
    if before != after:
        value = padded(op, value, [0, 0, *before], [0, 0, *after], "constant", 0.0)
        before = [0] * len(kernel)
    layer = op.b.weight(weight, "weight")
    bias = _bias(op, op.get(2), weight)
    name = CONVOLUTIONS[len(kernel) - 1]
    return op.b.call(name, value, layer, bias, strides, before, dilations, op.integer("group", 1))


def _bias(op: Op, bias: Value | None, weight: Value) -> Value | None:
    if bias is None:
        return None
    owner = weight.name.removesuffix(".weight") if weight.name.endswith(".weight") else ""
    return op.b.weight(_plain(bias), "bias", owner=owner)


def _plain(value: Value) -> Value:
    """A bias without the quantiser that its codes had: 32-bit codes lose nothing that matters."""
    return value if value.quantiser is None else Value(value.probes, name=value.name)


def conv_transpose(op: Op) -> Value:
    value, weight, sizes = op[0], op[1], spatial(op)
    rank = len(sizes)
    kernel = [weight.static(i + 2) for i in range(rank)]
    strides, dilations = op.ints("strides", [1] * rank), op.ints("dilations", [1] * rank)
    extra = op.ints("output_padding", [0] * rank)
    full = [(s - 1) * t + (k - 1) * d + 1 + e for s, t, k, d, e in zip(sizes, strides, kernel, dilations, extra)]
    before, after = _crop(op, full, [s * t for s, t in zip(sizes, strides, strict=True)])
    even = before == after and all(e < max(t, d) for e, t, d in zip(extra, strides, dilations, strict=True))
    bias, group = _bias(op, op.get(2), weight), op.integer("group", 1)
    layer = op.b.weight(weight, "weight")
    inner = before if even else [0] * rank
    made = op.b.call(TRANSPOSED[rank - 1], value, layer, bias, strides, inner, extra, group, dilations)
    if even:
        return made
    for i in range(rank):
        made = op.b.call("slice.Tensor", made, i + 2, before[i], full[i] - after[i])
    return made


def _crop(op: Op, full: list[int], same: list[int]) -> tuple[list[int], list[int]]:
    """How much is cut off the full transposed convolution in front and behind."""
    rank, mode = len(full), op.text("auto_pad", "NOTSET")
    wanted = op.ints("output_shape")
    if not wanted and mode in ("NOTSET", "VALID"):
        pads = op.ints("pads", [0] * 2 * rank) if mode == "NOTSET" else [0] * 2 * rank
        return pads[:rank], pads[rank:]
    totals = [f - w for f, w in zip(full, (wanted or same)[-rank:], strict=True)]
    if any(total < 0 for total in totals):
        raise op.bad("its output is larger than its input reaches; use output_padding")
    small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
    return (small, large) if mode == "SAME_UPPER" else (large, small)


def gemm(op: Op) -> Value:
    a, b, c = op[0], op[1], op.get(2)
    alpha, beta = op.real("alpha", 1.0), op.real("beta", 1.0)
    a = op.b.call("t.default", a) if op.integer("transA") else a
    if b.live or not a.live:
        right = op.b.call("t.default", b) if op.integer("transB") else b
        made = op.b.call("matmul.default", a, right)
        made = op.b.call("mul.Tensor", made, alpha) if alpha != 1.0 else made
    else:
        weight = op.b.call("mul.Tensor", b, alpha) if alpha != 1.0 else b
        layer = op.b.weight(weight, "weight", turn=not op.integer("transB"))
        bias = _gemm_bias(op, c, beta, layer)
        made = op.b.call("linear.default", a, layer, bias)
        if bias is not None:
            return made
    if c is None or beta == 0.0:
        return made
    return combine(op, "add", made, op.b.call("mul.Tensor", c, beta) if beta != 1.0 else c)


def _gemm_bias(op: Op, c: Value | None, beta: float, layer: Value) -> Value | None:
    """The addend as a bias `[out]`, where it is a constant that is the same for every row."""
    if c is None or c.live or beta == 0.0 or not c.fixed:
        return None
    shape, out = list(c.probes[0].shape), layer.static(0)
    if len(shape) > 2 or (shape and shape[-1] not in (1, out)) or shape[:-1] not in ([], [1]):
        return None
    value = _plain(c)
    if shape != [out]:
        value = op.b.call("expand.default", op.b.call("reshape.default", value, [-1]), [out])
    if beta != 1.0:
        value = op.b.call("mul.Tensor", value, beta)
    stem = op.b.name_of(layer)
    return op.b.weight(value, "bias", owner=stem.removesuffix(".weight") if stem.endswith(".weight") else "")


def matmul(op: Op) -> Value:
    """A product with a constant matrix on the right is a linear layer; its weight is kept as `[out, in]`."""
    a, b = op[0], op[1]
    if a.live and not b.live and b.rank == 2 and a.rank > 1 and b.is_float:
        return op.b.call("linear.default", a, op.b.weight(b, "weight", turn=True), None)
    if a.live and not b.live:
        b = op.b.weight(b, "weight") if b.is_float and b.fixed else b
    elif b.live and not a.live:
        a = op.b.weight(a, "weight") if a.is_float and a.fixed else a
    return op.b.call("matmul.default", a, b)


def einsum(op: Op) -> Value:
    values = [op[i] for i in range(len(op.inputs))]
    if any(v.live for v in values):
        values = [op.b.weight(v, "weight") if not v.live and v.fixed and v.is_float else v for v in values]
    equation = op.text("equation").replace(" ", "")
    return op.b.call("einsum.default", equation, values)


def attention(op: Op) -> Value:
    """Attention (operator set 23) of values with four axes, with or without a mask."""
    op.only_first()
    q, k, v = op[0], op[1], op[2]
    if q.rank != 4 or op.get(4) is not None or op.real("softcap"):
        raise op.bad("only [batch, heads, length, width] without cache or soft cap; write it with MatMul and Softmax")
    scale = op.real("scale") if "scale" in op.attributes else None
    repeats = k.static(1) and q.static(1) // k.static(1)
    if repeats > 1:
        k, v = (op.b.call("repeat_interleave.self_int", x, repeats, 1) for x in (k, v))
    mask, causal = op.get(3), bool(op.integer("is_causal"))
    return op.b.call("scaled_dot_product_attention.default", q, k, v, mask, 0.0, causal, scale=scale)

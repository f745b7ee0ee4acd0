"""QuantizeLinear and DequantizeLinear: a pair becomes a fake quantiser, codes of a weight a weight behind one."""

from __future__ import annotations

import torch

from methods.graph.onnx_in.op import Op
from methods.graph.onnx_in.values import Codes, Quantiser, Value, constant

RANGES = {torch.uint8: (0, 255), torch.int8: (-128, 127), torch.int16: (-32768, 32767)}


def quantize(op: Op) -> Value:
    """Codes of a value; they only mean something to the DequantizeLinear behind it."""
    _no_blocks(op)
    value, scale, zero = op[0], op[1], op.get(2)
    if scale.live or (zero is not None and zero.live):
        raise op.bad("its scale is computed by the network; quantise with fixed scales (static quantisation)")
    kind = torch.uint8 if zero is None else zero.dtype
    if kind not in RANGES:
        raise op.bad(f"codes of type {kind} are not supported; use int8 or uint8")
    if not value.live:
        return _codes_now(op, value, scale, zero)
    codes = Codes(value, scale, zero, op.axis("axis", 1, value.rank) if scale.probes[0].numel() > 1 else 0)
    shapes = [p.to(kind) for p in value.probes]
    return Value((shapes[0], shapes[1]), value.row, codes=codes)


def _codes_now(op: Op, value: Value, scale: Value, zero: Value | None) -> Value:
    data, steps, offset = value.probes[0], scale.probes[0], torch.zeros(1) if zero is None else zero.probes[0].float()
    kind = torch.uint8 if zero is None else zero.dtype
    axis = op.axis("axis", 1, data.dim()) if steps.numel() > 1 else 0
    shaped, shift = (t.reshape(_view(data.dim(), axis, t.numel())) for t in (steps, offset))
    codes = (data / shaped).round() + shift
    return constant(codes.clamp(*RANGES[kind]).to(kind), value.name)


def _view(rank: int, axis: int, count: int) -> list[int]:
    view = [1] * rank
    if rank:
        view[axis] = count
    return view


def dequantize(op: Op) -> Value:
    _no_blocks(op)
    value, scale = op[0], op[1]
    if scale.live:
        raise op.bad("its scale is computed by the network; quantise with fixed scales (static quantisation)")
    if value.codes is not None:
        return _round_trip(op, value.codes)
    if value.live:
        raise op.bad("its codes are moved or computed first; put DequantizeLinear right behind QuantizeLinear (QDQ)")
    return _weight(op, value, scale)


def _round_trip(op: Op, codes: Codes) -> Value:
    steps, zeros = codes.scale.probes[0], torch.zeros(1) if codes.zero is None else codes.zero.probes[0]
    low, high = RANGES[torch.uint8 if codes.zero is None else codes.zero.dtype]
    if not torch.equal(op[1].probes[0], steps) or (op.get(2) is not None and not torch.equal(op[2].probes[0], zeros)):
        raise op.bad("its scale or zero point differs from those of the QuantizeLinear before it")
    if steps.numel() == 1:
        settings = (float(steps.reshape(-1)[0]), int(zeros.reshape(-1)[0]), low, high)
        return op.b.call("fake_quantize_per_tensor_affine.default", codes.source, *settings)
    zero = constant(zeros.to(torch.int32).expand(steps.shape).contiguous())
    return op.b.call("fake_quantize_per_channel_affine.default", codes.source, codes.scale, zero, codes.axis, low, high)


def _weight(op: Op, value: Value, scale: Value) -> Value:
    """Constant codes as the float weight that they stand for, with the quantiser that gives the codes again."""
    data, steps = value.probes[0], scale.probes[0].reshape(-1)
    zeros = op[2].probes[0].reshape(-1) if op.get(2) is not None else torch.zeros(1, dtype=torch.int32)
    axis = op.axis("axis", 1, data.dim()) if steps.numel() > 1 else 0
    view = _view(data.dim(), axis, steps.numel())
    spread = zeros.to(torch.int32).expand(steps.shape).contiguous()
    weight = (data.float() - spread.float().reshape(view)) * steps.reshape(view)
    made = constant(weight, value.name.removesuffix("_quantized"))
    if data.dtype in RANGES and data.dim() > 1:
        low, high = RANGES[data.dtype]
        if data.dtype == torch.int8 and not bool((data == -128).any()):
            low = -127
        made.quantiser = Quantiser(steps, spread, axis, low, high)
    made.turned = value.turned
    return made


def _no_blocks(op: Op) -> None:
    if op.integer("block_size"):
        raise op.bad("scales per block are not supported; use one scale per tensor or per channel")

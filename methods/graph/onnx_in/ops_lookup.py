"""Look-ups by index: embeddings, picks from an axis, gathers; and padding."""

from __future__ import annotations

import torch

from methods.graph.onnx_in.op import Op
from methods.graph.onnx_in.values import Size, Value, constant

PAD_MODES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def gather(op: Op) -> Value:
    value, index = op[0], op[1]
    axis = op.axis("axis", 0, value.rank)
    if not index.live:
        return _pick(op, value, index, axis)
    size = value.static(axis)
    op.b.reaches(index, size)
    if not value.live and value.is_float and axis == 0 and value.rank == 2 and value.fixed:
        return op.b.call("embedding.default", op.b.weight(value, "weight"), index)
    flat = op.b.reshape(index, _flat(op, index))
    made = op.b.call("index_select.default", value, axis, flat)
    return op.b.reshape(made, [*value.sizes[:axis], *index.sizes, *value.sizes[axis + 1 :]])


def _flat(op: Op, index: Value) -> list[int | Size]:
    factor, batch = 1, 0
    for size in index.sizes:
        if isinstance(size, Size):
            if batch or size.offset:
                raise op.bad("its indices follow the batch in more than one axis")
            batch = size.factor
        else:
            factor *= size
    return [Size(factor * batch) if batch else factor]


def _pick(op: Op, value: Value, index: Value, axis: int) -> Value:
    """Known indices: one of them selects, several in a row slice."""
    if not index.fixed:
        return _eager(op, value, index, axis)
    size = value.probes[0].shape[axis]
    found = index.probes[0]
    numbers = [int(i) for i in found.reshape(-1).tolist()]
    if not isinstance(value.sizes[axis], Size):
        if any(not -size <= i < size for i in numbers):
            raise op.bad(f"an index is outside an axis of size {size}")
        numbers = [i % size for i in numbers]
    elif value.live:
        raise op.bad("it picks samples out of the batch, which a network for any batch size can't do")
    if found.dim() == 0:
        return op.b.call("select.int", value, axis, numbers[0])
    if found.dim() == 1 and numbers and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        whole = len(numbers) == size
        return value if whole else op.b.call("slice.Tensor", value, axis, numbers[0], numbers[-1] + 1)
    made = op.b.call("index_select.default", value, axis, constant(torch.tensor(numbers, dtype=torch.int64)))
    if found.dim() == 1:
        return made
    return op.b.reshape(made, [*value.sizes[:axis], *found.shape, *value.sizes[axis + 1 :]])


def _eager(op: Op, value: Value, index: Value, axis: int) -> Value:
    """Indices that follow the batch, into something that is known as well."""
    if value.live:
        raise op.bad("its indices depend on the batch size")
    pairs = zip(value.probes, index.probes, strict=True)
    first, second = (
        torch.index_select(v, axis, i.reshape(-1).long() % v.shape[axis]).reshape(
            [*v.shape[:axis], *i.shape, *v.shape[axis + 1 :]]
        )
        for v, i in pairs
    )
    return Value((first, second))


def gather_elements(op: Op) -> Value:
    value, axis = op[0], op.axis("axis", 0, op[0].rank)
    index = op[1] if op[1].dtype == torch.int64 else op.b.call("to.dtype", op[1], torch.int64)
    if not index.live and bool((index.probes[0] < 0).any()):
        size = value.static(axis)
        index = op.b.call("remainder.Scalar", index, size)
    pairs = list(zip(value.sizes, index.sizes, strict=True))
    sizes = [v if isinstance(v, Size) and i == op.b.fixed_batch else i for v, i in pairs]
    return op.b.call("gather.default", value, axis, op.b.expand(index, sizes))


def gather_nd(op: Op) -> Value:
    """Indices into the leading axes, as one index tensor per axis."""
    value, index = op[0], op[1]
    if op.integer("batch_dims"):
        raise op.bad("batch_dims is not supported; use GatherElements or Gather")
    depth = index.static(index.rank - 1)
    parts = [op.b.call("select.int", index, -1, i) for i in range(depth)]
    return op.b.call("index.Tensor", value, parts)


def pad(op: Op) -> Value:
    value, mode = op[0], op.text("mode", "constant")
    widths = op.whole(1, "pads") or []
    chosen = op.whole(3) if op.get(3) is not None else None
    axes = [op.position(a, value.rank) for a in chosen] if chosen is not None else list(range(value.rank))
    if len(widths) != 2 * len(axes):
        raise op.bad(f"{len(widths)} widths for {len(axes)} axes")
    before, after = [0] * value.rank, [0] * value.rank
    for position, axis in enumerate(axes):
        before[axis], after[axis] = widths[position], widths[position + len(axes)]
    return padded(op, value, before, after, mode, op.scalar(2, "value") or 0.0)


def padded(op: Op, value: Value, before: list[int], after: list[int], mode: str, number: float) -> Value:
    """Pads every axis by so much in front and behind."""
    pairs = list(zip(before, after, strict=True))[::-1]
    while pairs and pairs[-1] == (0, 0):
        pairs.pop()
    flat = [width for pair in pairs for width in pair]
    if not flat:
        return value
    if mode == "constant":
        return op.b.call("constant_pad_nd.default", value, flat, number if value.is_float else int(number))
    if mode not in PAD_MODES:
        raise op.bad(f"padding mode {mode[:40]!r} is not known; use constant, reflect or edge")
    if len(pairs) > 3 or len(pairs) > value.rank - 1:
        raise op.bad(f"padding mode {mode} works on the last three axes at most, behind the batch")
    count = max(len(pairs), value.rank - 2)
    return op.b.call("pad.default", value, flat + [0] * (2 * count - len(flat)), PAD_MODES[mode])

"""Data movement: reshapes, transposes, splits, slices, repetitions."""

from __future__ import annotations

from math import prod

import torch

from methods.graph.onnx_in.op import Op
from methods.graph.onnx_in.ops_batch import freed, resolved
from methods.graph.onnx_in.values import Size, Value, constant, size_of

END = 2**31 - 1


def passed(op: Op) -> Value:
    return op[0]


def reshape(op: Op) -> Value:
    value, target = op[0], op.pairs(1, "shape")
    if target is None:
        raise op.bad("its shape is missing")
    keep_zero = bool(op.integer("allowzero"))
    batch = op.b.fixed_batch
    if batch is not None and target[0] == target[1] and any(isinstance(s, Size) for s in value.sizes):
        sizes, outer = freed(op, value, target[0], batch, keep_zero)
        return op.b.reshape(value, sizes, outer)
    pairs = [resolved(op, t, list(p.shape), keep_zero) for t, p in zip(target, value.probes, strict=True)]
    return op.b.reshape(value, [size_of(pair) for pair in zip(*pairs, strict=True)])


def flatten(op: Op) -> Value:
    axis = op.integer("axis", 1)
    axis = axis + op[0].rank if axis < 0 else axis
    pairs = [(prod(p.shape[:axis]), prod(p.shape[axis:])) for p in op[0].probes]
    return op.b.reshape(op[0], [size_of(pair) for pair in zip(*pairs, strict=True)])


def transpose(op: Op) -> Value:
    order = op.ints("perm", list(range(op[0].rank))[::-1])
    if order == list(range(op[0].rank)):
        return op[0]
    if not op[0].live and order == [1, 0] and op[0].fixed:
        made = op.b.call("t.default", op[0])
        quantiser = op[0].quantiser.turned() if op[0].quantiser else None
        return Value(made.probes, name=op[0].name, turned=not op[0].turned, quantiser=quantiser)
    made = op.b.call("permute.default", op[0], order)
    made.parent, made.order = op[0], tuple(order)
    return made


def squeeze(op: Op) -> Value:
    axes = op.whole(1, "axes")
    sizes = op[0].sizes
    if axes is None:
        axes = [i for i, size in enumerate(sizes) if size == 1]
    axes = [op.position(axis, op[0].rank) for axis in axes]
    if any(sizes[axis] != 1 for axis in axes):
        where = next(axis for axis in axes if sizes[axis] != 1)
        remedy = "; export with a free batch axis and keep it" if isinstance(sizes[where], Size) else ""
        raise op.bad(f"axis {where} has the size {sizes[where]} and can't be squeezed{remedy}")
    return op.b.reshape(op[0], [size for i, size in enumerate(sizes) if i not in axes])


def unsqueeze(op: Op) -> Value:
    axes = op.whole(1, "axes") or []
    rank = op[0].rank + len(axes)
    places = {op.position(axis, rank) for axis in axes}
    rest = iter(op[0].sizes)
    return op.b.reshape(op[0], [1 if i in places else next(rest) for i in range(rank)])


def concat(op: Op) -> Value:
    values = [op[i] for i in range(len(op.inputs))]
    values = [v for v in values if v.probes[0].numel() or v.live] or values
    axis = op.axis("axis", 0, values[0].rank)
    if any(v.live for v in values):
        values = [_along(op, v, values, axis) for v in values]
    return values[0] if len(values) == 1 else op.b.call("cat.default", values, axis)


def _along(op: Op, value: Value, others: list[Value], axis: int) -> Value:
    """In a file of fixed batch, constants have its batch size: they follow the batch here."""
    batch = op.b.fixed_batch
    sizes = value.sizes
    for position in range(value.rank):
        follows = [v.sizes[position] for v in others if isinstance(v.sizes[position], Size)]
        if batch == 1 and position != axis and follows and sizes[position] == 1:
            sizes[position] = follows[0]
    return op.b.expand(value, sizes) if sizes != value.sizes else value


def split(op: Op) -> list[Value]:
    axis = op.axis("axis", 0, op[0].rank)
    sizes = op.whole(1, "split")
    if sizes is None:
        whole, parts = op[0].static(axis), op.integer("num_outputs", len(op.outputs))
        step = -(-whole // parts)
        sizes = [min(step, whole - i * step) for i in range(parts)]
    return op.b.calls("split_with_sizes.default", op[0], sizes, axis)


def cut(op: Op) -> Value:
    """Slice: axis by axis, whole axes left alone, negative steps as a flip."""
    value = op[0]
    starts, ends = op.pairs(1, "starts"), op.pairs(2, "ends")
    if starts is None or ends is None:
        raise op.bad("its starts or ends are missing")
    axes = op.whole(3, "axes") or list(range(len(starts[0])))
    steps = op.whole(4, "steps") or [1] * len(axes)
    for i, axis in enumerate(axes):
        dim = op.position(axis, value.rank)
        sizes = [int(p.shape[dim]) for p in value.probes]
        spans = [slice(starts[n][i], ends[n][i], steps[i]).indices(sizes[n]) for n in (0, 1)]
        value = _slice(op, value, dim, spans, sizes)
    return value


def _slice(op: Op, value: Value, dim: int, spans: list[tuple[int, int, int]], sizes: list[int]) -> Value:
    (first, second), step = spans, spans[0][2]
    if step == 1 and all(span[:2] == (0, size) for span, size in zip(spans, sizes, strict=True)):
        return value
    if step == -1 and all(span[:2] == (size - 1, -1) for span, size in zip(spans, sizes, strict=True)):
        return op.b.call("flip.default", value, [dim])
    if step < 0:
        index = constant(torch.arange(*first))
        if first != second:
            raise op.bad("a backwards slice of the batch axis is not supported")
        return op.b.call("index_select.default", value, dim, index)
    ends = [size_of((first[i], second[i])) for i in (0, 1)]
    whole = all(span[1] == size for span, size in zip(spans, sizes, strict=True))
    return op.b.call("slice.Tensor", value, dim, ends[0], END if whole and value.live else ends[1], step)


def expand(op: Op) -> Value:
    value, target = op[0], op.pairs(1)
    if target is None:
        raise op.bad("its shape is missing")
    shapes = [torch.broadcast_shapes(p.shape, tuple(_kept(op, value, t))) for p, t in zip(value.probes, target)]
    return op.b.expand(value, [size_of(pair) for pair in zip(*shapes, strict=True)])


def _kept(op: Op, value: Value, target: list[int]) -> list[int]:
    """The target with one in place of the batch size that the file was made for, where the value has the batch."""
    kept, batch = list(target), op.b.fixed_batch
    for axis, size in enumerate(value.sizes, len(target) - value.rank):
        if isinstance(size, Size) and batch is not None and size.at(batch) == kept[axis]:
            kept[axis] = 1
    return kept


def tile(op: Op) -> Value:
    repeats = op.sizes(1)
    if repeats is None:
        raise op.bad("its repeats are missing")
    if all(r == 1 for r in repeats):
        return op[0]
    sizes = op[0].sizes
    if all(r == 1 or s == 1 for r, s in zip(repeats, sizes, strict=True)):
        return op.b.expand(op[0], [r if s == 1 else s for r, s in zip(repeats, sizes, strict=True)])
    return op.b.call("repeat.default", op[0], repeats)


def depth_to_space(op: Op) -> Value:
    block, value = op.integer("blocksize", 1), op[0]
    if op.text("mode", "DCR") == "CRD":
        return op.b.call("pixel_shuffle.default", value, block)
    first, (depth, height, width) = value.sizes[0], (value.static(i) for i in (1, 2, 3))
    rest = depth // block**2
    apart = op.b.reshape(value, [first, block, block, rest, height, width])
    return op.b.reshape(
        op.b.call("permute.default", apart, [0, 3, 4, 1, 5, 2]), [first, rest, height * block, width * block]
    )


def space_to_depth(op: Op) -> Value:
    block, value = op.integer("blocksize", 1), op[0]
    first, (depth, height, width) = value.sizes[0], (value.static(i) for i in (1, 2, 3))
    tall, wide = height // block, width // block
    apart = op.b.reshape(value, [first, depth, tall, block, wide, block])
    return op.b.reshape(op.b.call("permute.default", apart, [0, 3, 5, 1, 2, 4]), [first, depth * block**2, tall, wide])

"""Reshape targets: what 0 and -1 stand for, and where the batch is in a file that was made for one batch size."""

from __future__ import annotations

from math import prod

from methods.graph.onnx_in.op import Op
from methods.graph.onnx_in.values import Size, Value, at


def resolved(op: Op, target: list[int], shape: list[int], keep_zero: bool) -> list[int]:
    """The sizes that a Reshape target stands for: 0 copies an axis, -1 is what is left."""
    sizes = []
    for position, size in enumerate(target):
        if size == 0 and not keep_zero:
            if position >= len(shape):
                raise op.bad(f"its shape {target} copies axis {position}, which the value does not have")
            size = shape[position]
        sizes.append(size)
    if sizes.count(-1) > 1 or any(size < -1 for size in sizes):
        raise op.bad(f"its shape {target} is not possible")
    if -1 in sizes:
        rest = prod(size for size in sizes if size != -1)
        if not rest or prod(shape) % rest:
            raise op.bad(f"a value of shape {shape} can't take the shape {target}")
        sizes[sizes.index(-1)] = prod(shape) // rest
    if prod(sizes) != prod(shape):
        raise op.bad(f"a value of shape {shape} can't take the shape {target}; {_remedy()}")
    return sizes


def freed(op: Op, value: Value, target: list[int], batch: int, keep_zero: bool) -> tuple[list[int | Size], int]:
    """A target that was written for one batch size with the axis that holds the batch made free, and its `outer`.

    Row-major order is kept, so the batch stays behind as many numbers as before. Where several axes would do, one that
    has the batch size alone is taken, then one that the batch leads, then any other.
    """
    sizes = value.sizes
    axes = [i for i, size in enumerate(sizes) if isinstance(size, Size)]
    plain = resolved(op, target, [at(size, batch) for size in sizes], keep_zero)
    source = sizes[axes[0]]
    if len(axes) != 1 or not isinstance(source, Size) or source.offset:
        raise op.bad(f"the batch can't be followed through this reshape; {_remedy()}")
    before = prod(at(size, batch) for size in sizes[: axes[0]]) * value.outer
    fitting = [q for q in range(len(plain)) if _fits(prod(plain[:q]), plain[q], before, batch)]
    if not fitting:
        raise op.bad(f"a reshape to {target} mixes the batch with other axes; {_remedy()}")

    def preference(axis: int) -> tuple[bool, bool]:
        leads = prod(plain[:axis]) == before
        return not (leads and plain[axis] == batch), not (leads and (axis < len(plain) - 1 or axis == 0))

    chosen = min(fitting, key=preference)
    made: list[int | Size] = [Size(s // batch) if i == chosen else s for i, s in enumerate(plain)]
    return made, before // prod(plain[:chosen])


def _fits(front: int, size: int, before: int, batch: int) -> bool:
    """Whether an axis of `size` with `front` numbers in front of it holds a batch that has `before` of them."""
    return front > 0 and size > 0 and before % front == 0 and (front * size) % (before * batch) == 0


def _remedy() -> str:
    return "export the model with a free batch axis (torch.onnx.export: dynamic_axes={'input': {0: 'batch'}})"

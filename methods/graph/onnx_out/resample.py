"""How resizing and sampling of maps are written in ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx
from torch.nn import functional as F

from methods.graph.nodes import argument
from methods.graph.onnx_out.adaptive import by_matrices
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.pool import rank_of
from methods.graph.onnx_out.types import refuse


def _scales(node: fx.Node, rank: int) -> list[float] | list[None]:
    """The factor that the network gives for each axis; None where it gives sizes."""
    given = argument(node, "scale_factors")
    return [float(s) for s in given] if given else [None] * rank


def nearest(e: Emitter, node: fx.Node) -> str:
    """Whole factors as Resize, all others by the positions that torch itself reads."""
    rank = rank_of(node)
    before, after = e.shape(node.args[0])[-rank:], e.shape(node)[-rank:]
    whole = all(a % b == 0 and s in (None, a / b) for a, b, s in zip(after, before, _scales(node, rank), strict=True))
    if whole and e.dtype(node).is_floating_point:
        scales = e.floats([1, 1, *(a / b for a, b in zip(after, before, strict=True))])
        settings = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor", "mode": "nearest"}
        return e.emit("Resize", [e.value(node.args[0]), "", scales], node, **settings)
    mode = "nearest-exact" if "exact" in str(node.target) else "nearest"
    value = e.value(node.args[0])
    for axis, (b, a, scale) in enumerate(zip(before, after, _scales(node, rank), strict=True)):
        index = e.constant(_positions(b, a, scale, mode))
        value = e.emit("Gather", [value, index], node if axis == rank - 1 else None, axis=axis + 2)
    return value


def _positions(before: int, after: int, scale: float | None, mode: str) -> np.ndarray[Any, Any]:
    line = torch.arange(before, dtype=torch.float32).view(1, 1, -1)
    size = {"size": after} if scale is None else {"scale_factor": scale}
    found: Tensor = F.interpolate(line, mode=mode, **size)
    return found.flatten().to(torch.int64).numpy()


def smooth(e: Emitter, node: fx.Node) -> str:
    """Maps of two axes as Resize; lines, volumes and anti-aliasing as a product with torch's own weights per axis."""
    rank, target = rank_of(node), str(node.target)
    if e.lifted is not None:
        raise refuse(node, "whole numbers would be rounded otherwise than in torch", "resize floats and round them")
    before, after, scales = e.shape(node.args[0]), e.shape(node), _scales(node, rank)
    aligned = bool(argument(node, "align_corners"))
    kept = [b == a and s not in (None, 1) for b, a, s in zip(before[2:], after[2:], scales, strict=True)]
    if rank == 2 and "_aa" not in target and (aligned or not any(kept)):
        return _resize(e, node, "cubic" if "bicubic" in target else "linear", scales)
    matrices = [
        _weights(target, before[2 + i], after[2 + i], scales[i], aligned)
        if before[2 + i] != after[2 + i] or kept[i]
        else None
        for i in range(rank)
    ]
    return e.emit("Identity", [by_matrices(e, e.value(node.args[0]), before, matrices)], node)


def _resize(e: Emitter, node: fx.Node, mode: str, scales: list[Any]) -> str:
    corners = "align_corners" if argument(node, "align_corners") else "half_pixel"
    settings = {"mode": mode, "coordinate_transformation_mode": corners, "cubic_coeff_a": -0.75}
    value = e.value(node.args[0])
    if scales[0] is not None and corners == "half_pixel":
        return e.emit("Resize", [value, "", e.floats(scales)], node, axes=[2, 3], **settings)
    sizes = e.ints(list(e.shape(node)[2:]))
    return e.emit("Resize", [value, "", "", sizes], node, axes=[2, 3], **settings)


def _weights(target: str, before: int, after: int, scale: float | None, aligned: bool) -> np.ndarray[Any, Any]:
    """The matrix `[after, before]` of a resize of one axis: what torch makes of single ones."""
    name = target.removeprefix("aten.").split(".")[0]
    resize = getattr(torch.ops.aten, name if name.endswith(("2d", "2d_aa")) else "upsample_bilinear2d").vec
    sizes = (None, [1.0, scale]) if scale is not None else ([1, after], None)
    made = resize(torch.eye(before)[None, :, None], sizes[0], aligned, sizes[1])
    return made[0, :, 0].T.contiguous().numpy()  # type: ignore[no-any-return]


def grid_sample(e: Emitter, node: fx.Node) -> str:
    settings = {
        "mode": ("linear", "nearest", "cubic")[int(argument(node, "interpolation_mode"))],
        "padding_mode": ("zeros", "border", "reflection")[int(argument(node, "padding_mode"))],
        "align_corners": int(bool(argument(node, "align_corners"))),
    }
    return e.emit("GridSample", [e.value(node.args[0]), e.value(node.args[1])], node, **settings)


def affine_grid(e: Emitter, node: fx.Node) -> str:
    shape = e.shape(node)
    size = e.full_shape((shape[0], 1, *shape[1:-1]))
    return e.emit(
        "AffineGrid", [e.value(node.args[0]), size], node, align_corners=int(bool(argument(node, "align_corners")))
    )


def _all(names: str, translate: Translator) -> dict[str, Translator]:
    return dict.fromkeys(names.split(), translate)


TABLE: Mapping[str, Translator] = (
    _all("upsample_nearest1d upsample_nearest2d upsample_nearest3d", nearest)
    | _all("_upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d", nearest)
    | _all("upsample_linear1d upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d", smooth)
    | _all("_upsample_bilinear2d_aa _upsample_bicubic2d_aa", smooth)
    | {"grid_sampler": grid_sample, "affine_grid_generator": affine_grid}
)

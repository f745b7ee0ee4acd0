"""Export of what works on maps: pooling, padding, resizing, sampling, in torch's own counting."""

from __future__ import annotations

from typing import Any

import pytest

from methods.graph.onnx_out.export import ExportError, check_export, export
from tests.methods.graph.one_op import In, one_op

CLOSE = 1e-4

Case = tuple[Any, ...]

POOLS: dict[str, Case] = {
    "max 1d": ("max_pool1d.default", In(3, 9), [3], [2], [1]),
    "max, ceil": ("max_pool2d.default", In(2, 8, 7), [3], [2], [0], [1], True),
    "max, a window that would start in the padding": ("max_pool2d.default", In(2, 5, 5), [2], [4], [1], [1], True),
    "max, dilated": ("max_pool2d.default", In(2, 9, 9), [3], [2], [1], [2], True),
    "max 3d": ("max_pool3d.default", In(2, 5, 6, 7), [2, 3, 2], [2], [1], [1], True),
    "max without a channel axis": ("max_pool2d.default", In(6, 6), [2]),
    "average": ("avg_pool2d.default", In(2, 8, 7), [3], [2], [1]),
    "average without the padding": ("avg_pool2d.default", In(2, 8, 7), [3], [2], [1], False, False),
    "average, ceil": ("avg_pool2d.default", In(2, 8, 7), [3], [2], [1], True),
    "average, ceil, far end": ("avg_pool2d.default", In(2, 6, 7), [2], [3], [1], True, True),
    "average, ceil, without the padding": ("avg_pool2d.default", In(2, 8, 7), [3], [2], [1], True, False),
    "average, ceil, no padding": ("avg_pool1d.default", In(2, 8), [3], [2], [0], True),
    "average, own divisor": ("avg_pool2d.default", In(2, 8, 7), [3, 2], [2], [1], True, True, 5),
    "average 1d": ("avg_pool1d.default", In(2, 9), [3], [2], [1]),
    "average 3d": ("avg_pool3d.default", In(2, 5, 4, 6), [2], [2], [1], True),
    "average 1d without a channel axis": ("avg_pool1d.default", In(9), [3]),
    "adaptive to one": ("adaptive_avg_pool2d.default", In(3, 5, 6), [1, 1]),
    "adaptive, whole": ("adaptive_avg_pool2d.default", In(3, 6, 8), [3, 2]),
    "adaptive": ("adaptive_avg_pool2d.default", In(3, 5, 7), [3, 4]),
    "adaptive, larger": ("adaptive_avg_pool2d.default", In(3, 4, 5), [7, 7]),
    "adaptive 1d": ("adaptive_avg_pool1d.default", In(3, 7), [3]),
    "adaptive 1d without a channel axis": ("adaptive_avg_pool1d.default", In(7), [3]),
    "adaptive 3d": ("adaptive_avg_pool3d.default", In(2, 4, 5, 7), [3, 2, 5]),
}

PADS: dict[str, Case] = {
    "constant": ("constant_pad_nd.default", In(2, 4, 5), [1, 2, 0, 3], 1.5),
    "cropped": ("constant_pad_nd.default", In(2, 4, 5), [-1, 2, 1, -2]),
    "whole numbers": ("constant_pad_nd.default", In(4, dtype="int64", values=9), [1, 2], 7),
    "truth values": ("constant_pad_nd.default", In(4, dtype="bool"), [1, 0], True),
    "reflect": ("pad.default", In(2, 5, 6), [2, 1, 0, 3], "reflect"),
    "reflect 1d": ("pad.default", In(2, 5), [2, 1], "reflect"),
    "replicate": ("pad.default", In(2, 5, 6), [2, 1, 0, 3], "replicate"),
    "replicate 3d": ("pad.default", In(2, 3, 4, 5), [2, 1, 0, 3, 1, 1], "replicate"),
    "circular": ("pad.default", In(2, 5, 6), [2, 1, 0, 3], "circular"),
    "circular, cropped": ("pad.default", In(2, 5, 6), [2, -1, -2, 3], "circular"),
    "reflect, cropped": ("pad.default", In(2, 5, 4), [2, -2, 1, 2], "reflect"),
    "named constant": ("pad.default", In(2, 5), [2, 1], "constant", -2.0),
}

RESIZES: dict[str, Case] = {
    "nearest, twice": ("upsample_nearest2d.vec", In(2, 3, 4), None, [2.0, 2.0]),
    "nearest, to a size": ("upsample_nearest2d.vec", In(2, 5, 7), [8, 3], None),
    "nearest, by 1.7": ("upsample_nearest2d.vec", In(2, 5, 7), None, [1.7, 1.7]),
    "nearest 1d": ("upsample_nearest1d.vec", In(2, 5), [15], None),
    "nearest 3d": ("upsample_nearest3d.vec", In(2, 2, 3, 4), [4, 5, 8], None),
    "exact": ("_upsample_nearest_exact2d.vec", In(2, 5, 7), [8, 3], None),
    "exact 1d": ("_upsample_nearest_exact1d.vec", In(2, 5), None, [2.5]),
    "linear": ("upsample_linear1d.vec", In(2, 5), [9], False, None),
    "linear, corners": ("upsample_linear1d.vec", In(2, 5), [9], True, None),
    "bilinear": ("upsample_bilinear2d.vec", In(2, 5, 7), [8, 11], False, None),
    "bilinear, corners": ("upsample_bilinear2d.vec", In(2, 5, 7), [8, 11], True, None),
    "bilinear, by 1.6": ("upsample_bilinear2d.vec", In(2, 5, 7), None, False, [1.6, 1.6]),
    "bilinear, by 1.6, corners": ("upsample_bilinear2d.vec", In(2, 5, 7), None, True, [1.6, 1.6]),
    "bilinear, by factors that leave a size": ("upsample_bilinear2d.vec", In(2, 3, 9), None, False, [2.1, 1.1]),
    "bilinear, smaller": ("upsample_bilinear2d.vec", In(2, 9, 7), [4, 1], False, None),
    "trilinear": ("upsample_trilinear3d.vec", In(2, 3, 4, 5), [5, 6, 4], False, None),
    "trilinear, corners, by 2": ("upsample_trilinear3d.vec", In(2, 3, 4, 5), None, True, [2.0, 2.0, 1.0]),
    "bicubic": ("upsample_bicubic2d.vec", In(2, 5, 7), [8, 11], False, None),
    "bicubic, corners": ("upsample_bicubic2d.vec", In(2, 5, 7), [8, 4], True, None),
    "bicubic, by 2.3": ("upsample_bicubic2d.vec", In(2, 5, 7), None, False, [2.3, 2.3]),
    "bilinear, smoothed": ("_upsample_bilinear2d_aa.vec", In(2, 9, 8), [4, 5], False, None),
    "bicubic, smoothed": ("_upsample_bicubic2d_aa.vec", In(2, 9, 8), [4, 5], False, None),
    "patches": ("im2col.default", In(3, 6, 7), [2, 3], [1, 2], [1, 0], [2, 1]),
    "patches summed": ("col2im.default", In(12, 8), [6, 7], [2, 3], [1, 2], [1, 0], [2, 2]),
}
RESIZES |= {
    f"sampled {mode} {padding} {corners}": ("grid_sampler.default", In(2, 5, 6), In(3, 4, 2), mode, padding, corners)
    for mode, padding, corners in ((0, 0, False), (0, 1, True), (0, 2, False), (1, 0, True), (2, 1, False))
}


@pytest.mark.parametrize("name", POOLS)
def test_pooling(name: str) -> None:
    """Sizes that divide and that don't, windows at the far end."""
    graph = one_op(*POOLS[name])
    assert check_export(graph, export(graph)) < CLOSE


@pytest.mark.parametrize("name", PADS)
def test_padding(name: str) -> None:
    """All four modes, and negative widths, which crop."""
    graph = one_op(*PADS[name])
    assert check_export(graph, export(graph)) < CLOSE


@pytest.mark.parametrize("name", RESIZES)
def test_resizing_and_sampling(name: str) -> None:
    """To sizes and by factors, with the corners aligned or not."""
    graph = one_op(*RESIZES[name])
    assert check_export(graph, export(graph)) < CLOSE


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_adaptive_maxima(rank: int) -> None:
    """Bins of unequal length."""
    graph = one_op(f"adaptive_max_pool{rank}d.default", In(*(2, 5, 7, 4)[: rank + 1]), [3, 2, 5][:rank], picks=(0,))
    assert check_export(graph, export(graph)) < CLOSE


def test_positions_of_adaptive_maxima_are_refused() -> None:
    """The message names the node and what would do."""
    with pytest.raises(ExportError, match=r"adaptive_max_pool2d.*fixed size"):
        export(one_op("adaptive_max_pool2d.default", In(2, 5, 7), [3, 2], picks=(0, 1)))


@pytest.mark.parametrize("rank", [1, 2])
def test_maxima_and_their_positions(rank: int) -> None:
    """Positions count within the map of one channel."""
    sizes = (3, 8, 6)[: rank + 1]
    graph = one_op(
        f"max_pool{rank}d_with_indices.default", In(*sizes), [3] * rank, [2] * rank, [1] * rank, picks=(0, 1)
    )
    assert check_export(graph, export(graph)) < CLOSE

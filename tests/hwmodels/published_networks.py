"""Networks whose latency on real hardware is published, as operators; additions, pools and activations left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from hwmodels.workload import Op, TensorSpec, Workload
from tests.hwmodels.ops import chain, conv, linear, matmul

MOBILENET_V2 = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2)]
MOBILENET_V2 += [(6, 320, 1, 1)]
"""arXiv:1801.04381, table 2: expansion, channels, repeats, stride; kernels are 3x3."""

EFFICIENTNET = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5)]
EFFICIENTNET += [(6, 192, 4, 2, 5), (6, 320, 1, 1, 3)]
"""arXiv:1905.11946, table 1, with kernel sizes."""


def rounded(channels: float) -> int:
    """To a multiple of 8, never down by more than a tenth."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


def inverted(
    table: Sequence[tuple[int, ...]], *, width: float, image: int, stem: int, last: int, deep: float, bits: int
) -> Workload:
    """A network of inverted residuals; rows are (expansion, channels, repeats, stride[, kernel])."""
    size, channels = -(-image // 2), stem
    ops = [conv("stem", inputs=3, outputs=channels, size=size, source=image, bits=bits)]
    for n, (expansion, outputs, repeats, stride, *kernel) in enumerate(table):
        fixed = deep > 1 and n in (0, len(table) - 1)
        for i in range(repeats if fixed else -int(-repeats * deep // 1)):
            after, step = rounded(outputs * width), stride if i == 0 else 1
            ops += _block(f"{n}.{i}", channels, expansion, after, size, step, (*kernel, 3)[0], bits)
            size, channels = -(-size // step), after
    ops.append(conv("last", inputs=channels, outputs=last, kernel=1, size=size, bits=bits))
    return chain(*ops, linear("classifier", inputs=last, outputs=1000, bits=bits))


def _block(name: str, c: int, expansion: int, outputs: int, size: int, stride: int, kernel: int, bits: int) -> list[Op]:
    wide, after = c * expansion, -(-size // stride)
    expand = [conv(f"{name}.expand", inputs=c, outputs=wide, kernel=1, size=size, bits=bits)] if expansion > 1 else []
    spread = conv(
        f"{name}.dw", inputs=wide, outputs=wide, kernel=kernel, size=after, source=size, groups=wide, bits=bits
    )
    return [*expand, spread, conv(f"{name}.project", inputs=wide, outputs=outputs, kernel=1, size=after, bits=bits)]


def mobilenet_v2(width: float, image: int, last: int = 1280, bits: int = 8) -> Workload:
    return inverted(MOBILENET_V2, width=width, image=image, stem=rounded(32 * width), last=last, deep=1.0, bits=bits)


def efficientnet_lite(width: float, deep: float, image: int, bits: int) -> Workload:
    """No squeeze and excitation; stem, head and the depth of the first and last stage stay as they are."""
    return inverted(EFFICIENTNET, width=width, image=image, stem=32, last=1280, deep=deep, bits=bits)


def mobilenet_v1(width: float, image: int, bits: int = 8, classes: int = 1000) -> Workload:
    """arXiv:1704.04861, table 1."""
    steps = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
    size, c = image // 2, int(32 * width)
    ops = [conv("stem", inputs=3, outputs=c, size=size, source=image, bits=bits)]
    for n, (outputs, stride) in enumerate(steps):
        before, size = size, size // stride
        ops.append(conv(f"dw{n}", inputs=c, outputs=c, size=size, source=before, groups=c, bits=bits))
        ops.append(conv(f"pw{n}", inputs=c, outputs=int(outputs * width), kernel=1, size=size, bits=bits))
        c = int(outputs * width)
    return chain(*ops, linear("classifier", inputs=c, outputs=classes, bits=bits))


def resnet_50(bits: int, image: int = 224) -> Workload:
    """Version 1.5: the stride is in the 3x3 convolution."""
    size = image // 4
    ops = [conv("stem", inputs=3, outputs=64, kernel=7, size=image // 2, source=image, bits=bits)]
    c = 64
    for stage, repeats in enumerate((3, 4, 6, 3)):
        narrow = 64 << stage
        for i in range(repeats):
            before, size = size, size // 2 if stage and i == 0 else size
            name, wide = f"{stage}.{i}", 4 * narrow
            ops.append(conv(f"{name}.a", inputs=c, outputs=narrow, kernel=1, size=before, bits=bits))
            ops.append(conv(f"{name}.b", inputs=narrow, outputs=narrow, size=size, source=before, bits=bits))
            ops.append(conv(f"{name}.c", inputs=narrow, outputs=wide, kernel=1, size=size, bits=bits))
            if i == 0:
                ops.append(conv(f"{name}.d", inputs=c, outputs=wide, kernel=1, size=size, source=before, bits=bits))
            c = wide
    return chain(*ops, linear("classifier", inputs=c, outputs=1000, bits=bits))


def vgg(repeats: Sequence[int], bits: int, classifier: bool = True) -> Workload:
    """VGG-16 for (2, 2, 3, 3, 3), VGG-19 for (2, 2, 4, 4, 4)."""
    ops: list[Op] = []
    c, size = 3, 224
    for stage, count in enumerate(repeats):
        for i in range(count):
            outputs = min(512, 64 << stage)
            ops.append(conv(f"{stage}.{i}", inputs=c, outputs=outputs, size=size, bits=bits))
            c = outputs
        size //= 2
    ends = [(25088, 4096), (4096, 4096), (4096, 1000)] if classifier else []
    return chain(*ops, *(linear(f"fc{n}", inputs=i, outputs=o, bits=bits) for n, (i, o) in enumerate(ends)))


def bert(layers: int, width: int, tokens: int, batch: int, bits: int, heads: int) -> Workload:
    """Projections, attention's two products and the feed-forward part."""
    rows, ops = tokens * batch, []
    for n in range(layers):
        shapes = [("q", width, width), ("k", width, width), ("v", width, width), ("o", width, width)]
        shapes += [("up", width, 4 * width), ("down", 4 * width, width)]
        ops += [linear(f"{n}.{name}", inputs=i, outputs=o, batch=rows, bits=bits) for name, i, o in shapes]
        ops.append(matmul(f"{n}.scores", rows=heads * rows, inner=width // heads, columns=tokens, bits=bits))
        ops.append(matmul(f"{n}.mix", rows=heads * rows, inner=tokens, columns=width // heads, bits=bits))
    return chain(*ops)


def resnet_8(bits: int = 8) -> Workload:
    """MLPerf Tiny's image classifier for 32x32 images: three stages of one block each, 12.5 M MACs."""
    ops = [conv("stem", inputs=3, outputs=16, size=32, bits=bits)]
    c, size = 16, 32
    for stage, wide in enumerate((16, 32, 64)):
        before, size = size, size if stage == 0 else size // 2
        ops.append(conv(f"{stage}.a", inputs=c, outputs=wide, size=size, source=before, bits=bits))
        ops.append(conv(f"{stage}.b", inputs=wide, outputs=wide, size=size, bits=bits))
        if stage:
            ops.append(conv(f"{stage}.d", inputs=c, outputs=wide, kernel=1, size=size, source=before, bits=bits))
        c = wide
    return chain(*ops, linear("classifier", inputs=64, outputs=10, bits=bits))


def ds_cnn(bits: int = 8) -> Workload:
    """MLPerf Tiny's keyword spotter: 64 channels on 25x5, four separable blocks, 2.7 M MACs."""
    sheet = TensorSpec((1, 64, 25, 5), bits)

    def layer(name: str, kernel: int, groups: int) -> Op:
        square = conv(name, inputs=64, outputs=64, kernel=kernel, size=5, groups=groups, bits=bits)
        return replace(square, inputs=(sheet,), outputs=(sheet,), macs=5 * square.macs)

    image, kernel = TensorSpec((1, 1, 49, 10), bits), TensorSpec((64, 1, 10, 4), bits)
    stem = replace(layer("stem", 1, 1), inputs=(image,), weights=(kernel,), macs=25 * 5 * 64 * 40)
    pairs = ((layer(f"dw{n}", 3, 64), layer(f"pw{n}", 1, 1)) for n in range(4))
    return chain(stem, *(op for pair in pairs for op in pair), linear("classifier", inputs=64, outputs=12, bits=bits))


def autoencoder(bits: int = 8) -> Workload:
    """MLPerf Tiny's anomaly detector: 640-128-128-128-128-8-128-128-128-128-640."""
    widths = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640)
    return chain(*(linear(f"fc{n}", inputs=i, outputs=o, bits=bits) for n, (i, o) in enumerate(pairwise(widths))))


def wide_alexnet(batch: int = 16) -> Workload:
    """The convolutions of Bit Fusion's AlexNet: twice as wide, two groups, 8 bits in the first layer, then 4."""
    shapes = [(3, 96, 11, 55, 227, 8), (96, 256, 5, 27, 27, 4), (512, 384, 3, 13, 13, 4)]
    shapes += [(384, 384, 3, 13, 13, 4), (384, 256, 3, 13, 13, 4)]
    halves = [(n, half, shape) for n, shape in enumerate(shapes) for half in "ab"]
    return chain(
        *(
            conv(f"{n}{half}", inputs=i, outputs=o, kernel=k, size=size, source=source, batch=batch, bits=bits)
            for n, half, (i, o, k, size, source, bits) in halves
        )
    )

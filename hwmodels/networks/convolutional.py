"""Convolutional networks of random width: plain, residual, and of depthwise convolutions."""

from __future__ import annotations

from hwmodels.networks.builder import Builder


def plain(seed: int, size: int = 32) -> bytes:
    """Like VGG: pairs of 3 x 3 convolutions and pooling."""
    b = Builder(seed)
    x, channels = "x", 3
    for stage in range(3):
        for _ in range(2):
            wide = b.width(8 << stage, 40 << stage)
            x, channels = b.relu(b.conv(x, channels, wide)), wide
        x = b.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return b.network(x, channels, size)


def residual(seed: int, size: int = 32) -> bytes:
    """Like ResNet-20: three stages of three blocks."""
    b = Builder(seed)
    channels = b.width(4, 24)
    x = b.relu(b.conv("x", 3, channels))
    for stage in range(3):
        for block in range(3):
            inner, first = b.width(4 << stage, 24 << stage), block == 0 and stage > 0
            wide = b.width(4 << stage, 24 << stage) if first else channels
            y = b.relu(b.conv(x, channels, inner, stride=2 if first else 1))
            y = b.conv(y, inner, wide)
            past = b.conv(x, channels, wide, kernel=1, stride=2) if first else x
            x, channels = b.relu(b.op("Add", y, past)), wide
    return b.network(x, channels, size)


def depthwise(seed: int, size: int = 32) -> bytes:
    """Like MobileNetV2: inverted residual blocks."""
    b = Builder(seed)
    channels = b.width(8, 24)
    x = b.relu(b.conv("x", 3, channels))
    for stage in range(3):
        for block in range(3):
            inner, first = channels * b.width(2, 5), block == 0
            wide = b.width(6 << stage, 20 << stage) if first else channels
            y = b.relu(b.conv(x, channels, inner, kernel=1))
            y = b.relu(b.conv(y, inner, inner, stride=2 if first and stage else 1, groups=inner))
            y = b.conv(y, inner, wide, kernel=1)
            x, channels = (y if first else b.op("Add", x, y)), wide
    return b.network(x, channels, size)

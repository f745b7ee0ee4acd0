"""A small network of many kinds of operators: run ahead of a node that is timed, it makes a processor forget the node.

Branches and memory streams of a node that runs over and over are predicted perfectly; inside a network, with other
operators in between, they aren't. It takes some 20 us and touches little memory, so that what is timed stays cached.
"""

from __future__ import annotations

from functools import cache

from hwmodels.networks.builder import Builder


@cache
def disturber() -> bytes:
    """The network as ONNX bytes, the batch free: input `[N, 3, 8, 8]`."""
    b = Builder(0)
    x = b.relu(b.conv("x", 3, 7))
    x = b.relu(b.conv(x, 7, 16))
    x = b.relu(b.conv(x, 16, 16, stride=2))
    x = b.relu(b.conv(x, 16, 16, groups=16))
    x = b.op("Add", x, b.conv(x, 16, 16, kernel=1))
    x = b.op("Transpose", b.op("Reshape", x, b.ints(-1, 16, 16)), perm=[0, 2, 1])
    y = b.op("Gelu", b.linear(b.norm(x, 16), 16, 37))
    x = b.op("Add", x, b.linear(y, 37, 16))
    x = b.op("Flatten", b.op("Softmax", b.norm(x, 16), axis=-1))
    x = b.op("Sigmoid", b.gemm(b.op("Tanh", b.gemm(x, 256, 75)), 75, 29))
    return b.model(b.gemm(x, 29, 10), (3, 8, 8))

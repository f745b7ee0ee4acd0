"""Every family of networks that tables are calibrated on and checked with: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hwmodels.networks.convolutional import depthwise, plain, residual
from hwmodels.networks.dense import mlp, recurrent
from hwmodels.networks.transformer import transformer

FAMILIES: Mapping[str, Callable[[int], bytes]] = {
    "plain": plain,
    "residual": residual,
    "depthwise": depthwise,
    "transformer": transformer,
    "mlp": mlp,
    "recurrent": recurrent,
}
"""Family -> the network of a seed, as ONNX bytes with the batch free; of about 0.03 to 3 ms on one core."""

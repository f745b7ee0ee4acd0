"""A convolution as one filter per input channel, and a 1x1 convolution that mixes them.

W `[out, in, ...]` is approximated by p `[out, in]` times d `[in, ...]`. Each input channel is a problem of its own: the
best rank-one approximation of its `[out, places]` filters, by singular value decomposition. Where inputs are known,
the mixing is solved for again by least squares, since what one channel's filter lacks another's can make up for.

References: Howard et al., "MobileNets", 2017, arXiv 1704.04861 (the form); Guo et al., "Network decoupling: from
regular to depthwise separable convolutions", 2018, arXiv 1808.05517 (the closed form).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from methods.numerics.lowrank import Doubles, Floats, unfolded

PULL = 1e-3
"""Weight of staying with the closed form, relative to the mean square of the filtered inputs."""


@dataclass(frozen=True)
class DepthwisePair:
    """`depth` `[in, 1, ...]` and `point` `[out, in]`; `error` is relative in the Frobenius norm."""

    depth: Floats
    point: Floats
    error: float

    def weight(self) -> Floats:
        """The weight `[out, in, ...]` that the two stand for."""
        made: Doubles = np.einsum("oc,c...->oc...", self.point.astype(np.float64), self.depth[:, 0].astype(np.float64))
        return made.astype(np.float32)


def decouple(weight: Floats) -> DepthwisePair:
    """The best pair. Each filter of `depth` has length 1. Raises ValueError for a weight that is not finite."""
    unfolded(weight)
    out, given = weight.shape[:2]
    maps = weight.astype(np.float64).reshape(out, given, -1).transpose(1, 0, 2)
    filters = np.linalg.eigh(maps.transpose(0, 2, 1) @ maps)[1][:, :, -1]
    return _pair(weight, filters, np.einsum("cop,cp->oc", maps, filters))


def decouple_for(weight: Floats, inputs: Floats) -> DepthwisePair:
    """The same filters, with the mixing that best repeats the layer on `inputs` `[rows, in * places]`, as patches.

    Filters that are chosen by the inputs too lose less at first, but more once the network has been trained again.
    Raises ValueError.
    """
    pair, given = decouple(weight), weight.shape[1]
    patches = inputs.reshape(len(inputs), given, -1).astype(np.float64)
    filters, point = pair.depth.reshape(given, -1).astype(np.float64), pair.point.astype(np.float64)
    seen = np.einsum("ncp,cp->nc", patches, filters)
    lacking = inputs.astype(np.float64) @ weight.reshape(len(weight), -1).T.astype(np.float64) - seen @ point.T
    squares = seen.T @ seen
    pull = PULL * max(float(np.trace(squares)) / given, 1e-12)
    return _pair(weight, filters, point + np.linalg.solve(squares + pull * np.eye(given), seen.T @ lacking).T)


def _pair(weight: Floats, filters: Doubles, point: Doubles) -> DepthwisePair:
    """With its error."""
    depth = filters.reshape(weight.shape[1], 1, *weight.shape[2:]).astype(np.float32)
    pair = DepthwisePair(depth, point.astype(np.float32), 0.0)
    norm = float(np.linalg.norm(weight))
    return replace(pair, error=float(np.linalg.norm(weight - pair.weight())) / norm if norm else 0.0)

"""Small floating-point formats for weights: the numbers of a format, times a scale for each output channel.

Reference: Micikevicius et al., "FP8 formats for deep learning", 2022, arXiv 2209.05433 (the largest magnitude becomes
the largest number of the format).
"""

from __future__ import annotations

import torch
from torch import Tensor

from methods.numerics.affine import NARROWEST
from methods.numerics.formats import Format
from methods.numerics.levels import Levels, checked, halfway


def float_levels(weight: Tensor, to: Format, whole: bool = False) -> Levels:
    """The levels for a weight `[out, ...]`: one scale for each output, or one for all of them where it is `whole`.

    Raises ValueError where the weight is empty or not finite.
    """
    largest = checked(weight).abs().amax(dim=1, keepdim=True)
    widest = float(largest.max()) or to.largest
    largest = torch.full_like(largest, widest) if whole else largest.clamp_min(widest * NARROWEST)
    pattern = torch.from_numpy(to.code_points().copy())
    scale = (largest / to.largest).float()
    return Levels(scale, pattern.float(), halfway(scale.double() * pattern).float())

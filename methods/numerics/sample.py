"""A small weighted sample of a large array that stands for all of it, its rare far values included."""

from __future__ import annotations

import numpy as np

from methods.numerics.points import Floats

FAR = 3.0
"""Values further than so many standard deviations from the mean (of the sample) are all kept: few, with much of the
error."""


def stratified(values: Floats, weights: Floats | None, count: int, seed: int) -> tuple[Floats, Floats]:
    """All far values of a flat array and about `count` of the others, drawn with replacement, and what each counts.

    Summed over the sample, weight times anything is an unbiased estimate of the sum over the array. `weights` of the
    values are 1 by default.
    """
    places = np.random.default_rng(seed).integers(0, values.size, count)
    drawn = values[places].astype(np.float64)
    low, high = drawn.mean() - FAR * drawn.std(), drawn.mean() + FAR * drawn.std()
    far = (values < np.float32(low)) | (values > np.float32(high))
    near = places[~far[places]]
    kept = np.concatenate([np.flatnonzero(far), near])
    each = np.ones(len(kept), dtype=np.float32)
    each[len(kept) - len(near) :] = (values.size - (len(kept) - len(near))) / max(1, len(near))
    return values[kept], each if weights is None else each * weights[kept]

"""Random scores of weights' shapes for tests of sparsity."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from methods.numerics.patterns import Scores


@st.composite
def scores(draw: st.DrawFn, spatial: bool | None = None) -> Scores:
    """Positive scores `[out, in]` or `[out, in, k, l]`, with many equals in half of the cases."""
    kernel = draw(st.booleans()) if spatial is None else spatial
    shape = [draw(st.integers(1, 9)), draw(st.integers(1, 7))]
    shape += [draw(st.integers(1, 5)), draw(st.integers(1, 5))] if kernel else []
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.uniform(0.01, 1.0, shape)
    return np.ceil(values * 4) if draw(st.booleans()) else values


shares = st.sampled_from([0.0, 0.05, 0.1, 0.25, 1 / 3, 0.5, 0.75, 0.9, 1.0])

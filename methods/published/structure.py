"""Low rank, sharing and compact layers."""

from __future__ import annotations

from methods.published.row import Part, Published

ROWS = (
    Published(
        "svd-truncation",
        "Truncated singular value decomposition",
        "low-rank",
        "Denton, Zaremba, Bruna, LeCun and Fergus 2014",
        "1404.0736",
        (Part("low-rank", 0.25),),
        recovery="plain",
    ),
    Published(
        "jaderberg-separable",
        "Separable filters",
        "low-rank",
        "Jaderberg, Vedaldi and Zisserman 2014",
        "1405.3866",
        (Part("separable", 0.25),),
        recovery="plain",
    ),
    Published(
        "tucker-2",
        "Tucker-2 decomposition with ranks by variational Bayes",
        "low-rank",
        "Kim et al. 2016",
        "1511.06530",
        (Part("tucker-2", "vbmf"),),
        recovery="plain",
    ),
    Published(
        "circulant-projection",
        "Circulant projections",
        "sharing",
        "Cheng et al. 2015",
        "1502.03436",
        (Part("circulant", 8, settings={"flips": True}),),
        recovery="plain",
        storage="one number a diagonal",
    ),
    Published(
        "mobilenet-v1",
        "Depthwise separable convolutions in place of full ones",
        "compact",
        "Howard et al. 2017",
        "1704.04861",
        (Part("depthwise-separable", "replace"),),
        recovery="distillation",
    ),
    Published(
        "hashednets",
        "Hashed weights",
        "sharing",
        "Chen, Wilson, Tyree, Weinberger and Chen 2015",
        "1504.04788",
        (Part("hashing", 0.125),),
        recovery="plain",
        storage="buckets and a seed",
    ),
)

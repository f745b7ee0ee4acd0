"""Coding, distillation and combinations."""

from __future__ import annotations

from methods.published.row import Part, Published, pruned, rounded

ROWS = (
    Published(
        "huffman-coding",
        "Huffman coding of shared weights",
        "encoding",
        "Han, Mao and Dally 2016",
        "1510.00149",
        (Part("weight-sharing", 5),),
        recovery="none",
        storage="Huffman-coded indices",
    ),
    Published(
        "sparse-storage",
        "Sparse storage with relative index",
        "encoding",
        "Han, Mao and Dally 2016",
        "1510.00149",
        (Part("sparsity", 0.1),),
        recovery="none",
        storage="relative index",
    ),
    Published(
        "hinton-kd",
        "Knowledge distillation with temperature",
        "distill",
        "Hinton, Vinyals and Dean 2015",
        "1503.02531",
        pruned("taylor"),
        importance="taylor",
        recovery="distillation",
    ),
    Published(
        "fitnets",
        "FitNets: hints from middle layers",
        "distill",
        "Romero et al. 2015",
        "1412.6550",
        pruned("taylor"),
        importance="taylor",
        recovery="distillation",
        training={"kind": "hints"},
    ),
    Published(
        "deep-compression",
        "Deep Compression: pruning, trained quantisation and Huffman coding",
        "hybrid",
        "Han, Mao and Dally 2016",
        "1510.00149",
        (
            Part("sparsity", 0.08, settings={"importance": "magnitude", "ranking": "global"}),
            Part("weight-sharing", 5),
        ),
        importance="magnitude",
        schedule="gradual",
        storage="relative index, Huffman-coded",
    ),
    Published(
        "quantized-distillation",
        "Quantised distillation",
        "hybrid",
        "Polino, Pascanu and Alistarh 2018",
        "1802.05668",
        rounded("w4"),
        recovery="distillation",
        storage="4-bit codes",
    ),
)

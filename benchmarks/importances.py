"""Which importance foretells what removals do, and what a removed block saves on this machine.

python -m benchmarks.importances
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from examples.networks import LeNet5, ResidualDigits
from examples.train import train
from hwmodels.catalogue import device
from methods.base import Data
from methods.block_removal import BlockRemoval
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.onnx_out.export import export
from methods.graph.surgery.blocks import blocks
from search.data import load_dataset
from search.devices import open_hardware
from search.importance_words import lines, removals_text
from search.importances import compare
from search.splits import split

DEVICE = "local-onnxruntime"


def main() -> None:
    """Both tables for both networks, then the latency of shorter and shorter ones."""
    torch.set_num_threads(1)
    data = split(load_dataset("mnist"), 0).train
    networks = {"LeNet-5": LeNet5(), "residual network": ResidualDigits(width=8, blocks=3)}
    for name, model in networks.items():
        graph = trained(model, data)
        for labelled in (True, False):
            show(name, graph, data if labelled else Data(data.inputs))
    shorter(capture(ResidualDigits(width=16, blocks=4).eval(), (torch.zeros(2, 1, 28, 28),)))


def trained(model: nn.Module, data: Data) -> Graph:
    """Five passes over the 3,000 training images."""
    torch.manual_seed(0)
    return capture(train(model, data, epochs=5), (torch.zeros(2, 1, 28, 28),))


def show(name: str, graph: Graph, data: Data) -> None:
    """One table of correlations."""
    found = compare(graph, data, removals=120)
    print(f"\n{name}, {'labels' if found['labelled'] else 'own answers'}: {removals_text(found)}")
    print(f"{'importance':18} {'Spearman':>9} {'Kendall':>9} {'within':>9} {'time':>9}")
    for line in lines(found):
        print(f"{line.name:18} {line.spearman:>9} {line.kendall:>9} {line.within:>9} {line.time:>9}")


def shorter(graph: Graph) -> None:
    """Measured latency with more and more blocks left out, all timed interleaved."""
    local = device(DEVICE)
    profiler = open_hardware(local).profiler
    assert profiler is not None
    sites = list(blocks(graph))
    chosen = [dict.fromkeys(sites[:count], "remove") for count in range(len(sites) + 1)]
    graphs = [BlockRemoval().apply(graph, choices, Data(())) for choices in chosen]
    times = profiler.measure([export(g) for g in graphs], local)
    print(f"\nblocks left out of {len(sites)}, operators, latency")
    for count, (found, measured) in enumerate(zip(graphs, times, strict=True)):
        print(f"{count:3} {len(lower(found).ops):4} {1e6 * measured.latency_s:9.1f} us")
    falls = sum(b.latency_s < a.latency_s for a, b in pairwise(times))
    print(f"latency fell at {falls} of {len(sites)} removals")


if __name__ == "__main__":
    main()

"""load: a `.fwm` file as a trainable nn.Module, without the code that once defined the model."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from torch import Tensor, nn

from methods.graph import file
from methods.graph.ir import Graph


class GraphModule(nn.Module):
    """A Graph as a module: `train()` and `eval()` switch dropout and batch normalisation, one output comes bare."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.network = graph.module
        self._graph = graph
        self.eval()

    def forward(self, *inputs: Tensor, **named: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Runs the network on one tensor per input, `[batch, ...]`, in order or by the names of `graph().inputs`.

        Raises TypeError, with the names, where an input is missing or not one of the network's.
        """
        names = [s.name for s in self._graph.inputs]
        given = dict(zip(names, inputs)) | named
        if len(inputs) + len(named) != len(names) or set(given) != set(names):
            raise TypeError(f"the network takes {', '.join(names)}, one tensor each")
        outputs = self._graph(*(given[name] for name in names))
        return outputs[0] if len(outputs) == 1 else outputs

    def train(self, mode: bool = True) -> Self:
        """Switches to training (or evaluation) mode."""
        super().train(mode)
        if hasattr(self, "_graph"):
            self._graph.set_training(mode)
        return self

    def graph(self) -> Graph:
        """The graph with the weights as they are now, in evaluation mode."""
        result = self._graph.clone()
        result.set_training(False)
        return result


def load(path: Path | str) -> GraphModule:
    """The model in a `.fwm` file, in evaluation mode. Raises GraphError where the file can't be read."""
    return GraphModule(file.read(path))

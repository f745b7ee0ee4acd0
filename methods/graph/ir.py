"""The Graph: a captured network that can be rewritten.

It wraps a torch.fx graph of ATen operators with the parameters under the user's own names. Nothing outside
`methods/graph` needs to know fx.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx._lazy_graph_module import _LazyGraphModule

from methods.graph.coupling.groups import Coupling
from methods.graph.ops import NAMES, kind_of
from methods.graph.weight_chain import LOOK_UPS


class GraphError(Exception):
    """A network could not be captured, read, rewritten or exported."""


class InvalidGraph(GraphError):
    """A graph does not run, or holds an operator that is not allowed."""


@dataclass(frozen=True)
class InputSpec:
    """One input: `shape` without the batch axis, dtype name, and for integers the number of values it may take."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    values: int = 0

    def sample(self, batch: int, generator: torch.Generator) -> Tensor:
        """A random input `[batch, *shape]`: normal floats, or integers below `values`."""
        shape = (batch, *self.shape)
        dtype: torch.dtype = getattr(torch, self.dtype)
        if dtype.is_floating_point:
            return torch.randn(shape, generator=generator).to(dtype)
        return torch.randint(0, max(1, self.values), shape, generator=generator).to(dtype)


@dataclass(frozen=True)
class WeightUse:
    """A convolution or linear layer: the node that computes it and where its weight comes from.

    `weight` is the parameter's name (`fc1.weight`, or `fc1.weight.codebook` behind a shared weight); `site` names
    the place that it had in the original network, whatever has been done to it since.
    """

    site: str
    node: fx.Node
    source: fx.Node
    weight: str


def empty_module() -> fx.GraphModule:
    """A module to build a graph in. Its code is generated when it is first called, not after every edit: that took
    a third of a search's preparation."""
    return _LazyGraphModule(nn.Module(), fx.Graph())


class Graph:
    """A network as ATen operators. Methods return new Graphs; the one they were given stays as it was.

    Attributes:
        module: the executable fx.GraphModule, called with the inputs, returning a tuple of outputs.
        inputs: what it takes. output_names: what the outputs are called.
        sites: parameter name -> original site name, where a rewrite gave the parameter a new name.
        rates: dropout nodes' own rates, which evaluation mode sets to 0.
        patterns: parameter name -> the rule that its mask follows ("2:4"), empty where it follows none.
        coupling: what `trace.couple` found, remembered; None until it is asked for.
    """

    def __init__(
        self,
        module: fx.GraphModule,
        inputs: tuple[InputSpec, ...],
        output_names: tuple[str, ...] = ("output",),
        sites: dict[str, str] | None = None,
        rates: dict[str, float] | None = None,
        patterns: dict[str, str] | None = None,
    ) -> None:
        self.module = module
        self.inputs = inputs
        self.output_names = output_names
        self.sites = dict(sites or {})
        self.rates = dict(rates or {})
        self.patterns = dict(patterns or {})
        self.coupling: Coupling | None = None

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        result: tuple[Tensor, ...] = self.module(*inputs)
        return result

    def clone(self) -> Graph:
        """A copy that shares nothing with this one."""
        graph = fx.Graph()
        graph.output(graph.graph_copy(self.module.graph, {}))
        result = Graph(empty_module(), self.inputs, self.output_names, self.sites, self.rates, self.patterns)
        for name, parameter in self.module.named_parameters():
            result.set_tensor(name, parameter, trainable=True)
        for name, buffer in self.module.named_buffers():
            result.set_tensor(name, buffer, trainable=False)
        result.module.graph = graph
        result.module.meta = {key: copy.copy(value) for key, value in self.module.meta.items()}
        return result

    def example(self, batch: int = 2, seed: int = 0) -> tuple[Tensor, ...]:
        """Random inputs of the right shapes and types."""
        generator = torch.Generator().manual_seed(seed)
        return tuple(spec.sample(batch, generator) for spec in self.inputs)

    @property
    def nodes(self) -> list[fx.Node]:
        return list(self.module.graph.nodes)

    def node(self, name: str) -> fx.Node:
        """The node of that name. Raises InvalidGraph where there is none."""
        node: fx.Node
        for node in self.module.graph.nodes:
            if node.name == name:
                return node
        raise InvalidGraph(f"the graph has no node {name!r}")

    def tensor(self, name: str) -> Tensor:
        """The parameter or buffer of that name."""
        owner, _, leaf = name.rpartition(".")
        value: Tensor = getattr(self.module.get_submodule(owner), leaf)
        return value

    def set_tensor(self, name: str, value: Tensor, trainable: bool | None = None) -> None:
        """Replaces or adds a parameter (trainable) or buffer; `None` keeps the kind that it had."""
        owner_name, _, leaf = name.rpartition(".")
        owner = self.module
        for part in owner_name.split(".") if owner_name else []:
            if not hasattr(owner, part):
                owner.add_module(part, nn.Module())
            owner = getattr(owner, part)
        if trainable is None:
            trainable = leaf in owner._parameters
        if hasattr(owner, leaf):
            delattr(owner, leaf)
        if trainable:
            owner.register_parameter(leaf, nn.Parameter(value.detach().clone()))
        else:
            owner.register_buffer(leaf, value.detach().clone())

    def remove_unused(self) -> None:
        """Drops nodes that nobody reads and tensors that no node reads; recompiles."""
        self.module.graph.eliminate_dead_code()
        used = {str(n.target) for n in self.module.graph.nodes if n.op == "get_attr"}
        for name in [n for n, _ in (*self.module.named_parameters(), *self.module.named_buffers())]:
            if name not in used:
                owner, _, leaf = name.rpartition(".")
                delattr(self.module.get_submodule(owner), leaf)
        self.module.graph.lint()
        self.module.recompile()

    def site_of(self, weight: str) -> str:
        """The weight site of a parameter: `weight:fc1` for `fc1.weight`."""
        return self.sites.get(weight, "weight:" + weight.removesuffix(".weight"))

    def weight_uses(self) -> Iterator[WeightUse]:
        """Every convolution and linear layer whose weight is a parameter, in execution order."""
        for node in self.module.graph.nodes:
            if kind_of(node.target) not in ("conv", "conv_transpose", "linear"):
                continue
            source = weight_source(node.args[1])
            if source is not None:
                name = str(source.target)
                yield WeightUse(self.site_of(name), node, source, name)

    @property
    def parameter_count(self) -> int:
        """Trainable numbers that the network has; a shared weight counts at its full shape."""
        total = 0
        for name, parameter in self.module.named_parameters():
            owner, _, leaf = name.rpartition(".")
            total += self.tensor(f"{owner}.indices").numel() if leaf in LOOK_UPS else parameter.numel()
        return total

    @property
    def quantised(self) -> bool:
        """Whether any value goes through a quantiser."""
        return any(kind_of(n.target) in ("quantize", "snap") for n in self.module.graph.nodes)

    def set_training(self, training: bool) -> None:
        """Switches dropout and batch normalisation by their schema arguments (torch.export fixes them)."""
        for node in self.module.graph.nodes:
            if node.op == "call_function" and hasattr(node.target, "_schema"):
                _switch(node, training, self.rates)
        self.module.recompile()

    def check(self) -> None:
        """Runs the graph at two batch sizes. Raises InvalidGraph with the reason if it can't, or takes too much."""
        from methods.graph.limits import check_sizes  # it is written in terms of this module

        for node in self.module.graph.nodes:
            if node.op == "call_function" and node.target not in NAMES:
                raise InvalidGraph(f"operator {node.target} (node {node.name}) is not one that a graph may hold")
        self.module.graph.lint()
        check_sizes(self)
        shapes = []
        for batch in (1, 3):
            try:
                with torch.no_grad():
                    outputs = self(*self.example(batch))
            except Exception as error:
                raise InvalidGraph(f"the graph does not run at batch size {batch}: {first_line(error)}") from error
            shapes.append([tuple(o.shape[1:]) for o in outputs])
            if any(o.shape[:1] != (batch,) for o in outputs):
                raise InvalidGraph(f"an output does not keep the batch axis at batch size {batch}")
        if shapes[0] != shapes[1]:
            raise InvalidGraph(f"output shapes change with the batch size: {shapes[0]} against {shapes[1]}")


def _switch(node: fx.Node, training: bool, rates: dict[str, float]) -> None:
    """Sets `training`, `train`, `use_input_stats` and `dropout_p` of one node; a normalisation that keeps no statistics
    always uses those of the batch."""
    for position, argument in enumerate(node.target._schema.arguments):  # type: ignore[union-attr]
        by_position = position < len(node.args)
        if not by_position and argument.name not in node.kwargs:
            continue
        given: Any = node.args[position] if by_position else node.kwargs[argument.name]
        if argument.name in ("training", "train", "use_input_stats"):
            value: bool | float = training or (kind_of(node.target) in ("batch_norm", "norm") and node.args[3] is None)
        elif argument.name == "dropout_p":
            rates.setdefault(node.name, float(given))
            value = rates[node.name] if training else 0.0
        else:
            continue
        if by_position:
            node.update_arg(position, value)
        else:
            node.update_kwarg(argument.name, value)


class _Shapes(fx.Interpreter):
    """Runs the graph once and keeps the shape of every value."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.shapes: dict[str, list[tuple[int, ...]]] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        values = value if isinstance(value, list | tuple) else [value]
        self.shapes[n.name] = [tuple(v.shape) for v in values if isinstance(v, Tensor)]
        return value


def value_shapes(graph: Graph, batch: int) -> dict[str, list[tuple[int, ...]]]:
    """Node name -> the shapes of its outputs at that batch size."""
    runner = _Shapes(graph.module)
    with torch.no_grad():
        runner.run(*graph.example(batch))
    return runner.shapes


def weight_source(value: object) -> fx.Node | None:
    """The parameter behind a weight operand: through quantisers, views, codebook look-ups and factors per channel."""
    while isinstance(value, fx.Node):
        if value.op == "get_attr":
            return value
        if kind_of(value.target) not in ("quantize", "snap", "lookup", "move", "binary"):
            return None
        value = value.args[0]
    return None


def first_line(error: BaseException) -> str:
    """The first line of an error's text, for messages that users read."""
    text = str(error).strip().splitlines()
    return text[0][:300] if text else type(error).__name__

"""capture: a PyTorch model and an example input become a Graph.

torch.export (train mode, non-strict, batch axis free) gives the ATen graph; in-place operators become plain ones,
and the result is compared with the model at another batch size before anybody trusts it.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch
from torch import Tensor, fx, nn

from methods.graph.ir import Graph, GraphError, InputSpec, empty_module, first_line
from methods.graph.ops import IN_PLACE, NAMES, TARGETS

TOLERANCE = 1e-4
"""Relative difference allowed between the model and its graph: fp32 sums in another order."""


class CaptureError(GraphError):
    """A model could not be captured."""


def capture(model: nn.Module, example: Tensor | tuple[Tensor, ...]) -> Graph:
    """Captures `model`; `example` holds one tensor per input, `[batch, ...]`. The model itself stays untouched.

    Raises:
        CaptureError: the model can't be exported, its batch size is fixed, it uses an operator that isn't
            supported, or its graph computes something else than the model.
    """
    inputs = (example,) if isinstance(example, Tensor) else tuple(example)
    if not inputs or any(x.dim() == 0 or x.shape[0] == 0 for x in inputs):
        raise CaptureError("every example input needs a batch axis, such as [1, 3, 32, 32]")
    twin = copy.deepcopy(model).train()
    pair = tuple(torch.cat([x[:1]] * 2) for x in inputs)
    graph = _from_exported(_export(twin, pair).module(), inputs)
    graph.set_training(False)
    _compare(graph, copy.deepcopy(model).eval(), inputs)
    return graph


def _export(model: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    shapes = tuple({0: torch.export.Dim.AUTO} for _ in inputs)
    failures = []
    for strict in (False, True):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return torch.export.export(model, inputs, dynamic_shapes=shapes, strict=strict)
        except Exception as error:
            failures.append(first_line(error))
    raise CaptureError(
        f"torch.export could not trace the model: {failures[0]}. Models whose control flow depends on values can't "
        "be captured; make the branch a tensor operation (torch.where) or capture the part without it."
    )


def _from_exported(exported: fx.GraphModule, inputs: tuple[Tensor, ...]) -> Graph:
    graph = fx.Graph()
    new: dict[fx.Node, fx.Node] = {}
    specs: list[InputSpec] = []
    for node in exported.graph.nodes:
        if node.op == "call_module" or _is_counter(node):
            continue
        if node.op == "output":
            leaves = [leaf for leaf in _leaves(node.args[0]) if isinstance(leaf, fx.Node)]
            graph.output(tuple(new[leaf] for leaf in leaves))
            continue
        new[node] = graph.node_copy(node, lambda old: new[old])
        if node.op == "placeholder":
            specs.append(_spec(node.name, inputs[len(specs)]))
        if node.op == "call_function":
            _plain(new[node], node, new)
    result = Graph(empty_module(), tuple(specs))
    for name, parameter in exported.named_parameters():
        result.set_tensor(name, parameter, trainable=True)
    for name, buffer in exported.named_buffers():
        result.set_tensor(name, buffer, trainable=False)
    for node in graph.nodes:
        if node.op == "get_attr" and isinstance(value := _lookup(exported, str(node.target)), Tensor):
            name = str(node.target)
            if not isinstance(value, nn.Parameter):
                result.set_tensor(name, value, trainable=False)
    result.module.graph = graph
    result.output_names = tuple(f"output_{i}" if i else "output" for i in range(len(_outputs(graph))))
    result.remove_unused()
    return result


def _is_counter(node: fx.Node) -> bool:
    """Batch-norm step counters, which count in evaluation mode too."""
    if node.op == "get_attr":
        return str(node.target).endswith("num_batches_tracked")
    return node.op == "call_function" and any(
        isinstance(a, fx.Node) and str(a.target).endswith("num_batches_tracked") for a in node.args[:1]
    )


def _plain(node: fx.Node, old: fx.Node, new: dict[fx.Node, fx.Node]) -> None:
    """Turns an in-place operator into its plain twin and hands later readers of the operand the result."""
    target: Any = node.target
    name = getattr(target, "_schema", None) and target._schema.name.removeprefix("aten::")
    if name in IN_PLACE:
        overload = target._overloadname or "default"
        node.target = getattr(getattr(torch.ops.aten, name.removesuffix("_")), overload)
        if isinstance(old.args[0], fx.Node):
            new[old.args[0]] = node
    if name == "view":
        node.target = torch.ops.aten.reshape.default
    if node.target not in NAMES:
        raise CaptureError(
            f"operator {node.target} (node {node.name}) is not supported yet; {len(TARGETS)} operators are, "
            "see docs/architecture.md"
        )


def _spec(name: str, value: Tensor) -> InputSpec:
    dtype = str(value.dtype).removeprefix("torch.")
    values = 0 if value.dtype.is_floating_point else int(value.max()) + 1
    return InputSpec(name, tuple(value.shape[1:]), dtype, values)


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for v in value.values() for leaf in _leaves(v)]
    if isinstance(value, list | tuple):
        return [leaf for v in value for leaf in _leaves(v)]
    return [value]


def _outputs(graph: fx.Graph) -> tuple[Any, ...]:
    output: fx.Node = next(n for n in graph.nodes if n.op == "output")
    return tuple(output.args[0])  # type: ignore[arg-type]


def _lookup(module: nn.Module, name: str) -> Any:
    value: Any = module
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _compare(graph: Graph, model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Holds the graph against the model at batch sizes 1 and 3."""
    for batch in (1, 3):
        sample = tuple(
            torch.cat([x[:1]] * batch) if not x.is_floating_point() else graph.example(batch, seed=batch)[i]
            for i, x in enumerate(inputs)
        )
        with torch.no_grad():
            try:
                expected = [t for t in _leaves(_as_plain(model(*sample))) if isinstance(t, Tensor)]
            except Exception as error:
                raise CaptureError(f"the model does not run at batch size {batch}: {first_line(error)}") from error
            try:
                actual = graph(*sample)
            except Exception as error:
                raise CaptureError(
                    f"the model's batch size is fixed: its graph does not run at batch size {batch} "
                    f"({first_line(error)}). Write reshapes with -1 or x.shape[0] for the batch axis."
                ) from error
        for want, got in zip(expected, actual, strict=True):
            if want.shape != got.shape:
                raise CaptureError(
                    f"the model's batch size is fixed: at batch size {batch} the model gives {tuple(want.shape)} and "
                    f"its graph {tuple(got.shape)}. Write reshapes with -1 or x.shape[0] for the batch axis."
                )
            scale = want.abs().max().clamp_min(1e-6)
            if not torch.allclose(want, got, atol=float(TOLERANCE * scale), rtol=TOLERANCE, equal_nan=True):
                raise CaptureError(
                    f"the captured graph computes something else than the model (largest difference "
                    f"{float((want - got).abs().max()):.3g}); an in-place write to a view is the usual cause"
                )


def _as_plain(value: Any) -> Any:
    """Model outputs as lists and dicts: named tuples and dict-like classes included."""
    if hasattr(value, "to_tuple"):
        return value.to_tuple()
    return value

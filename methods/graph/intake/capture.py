"""capture: a PyTorch model and an example input become a Graph.

torch.export (train mode, non-strict, batch axis free) gives the ATen graph; it is brought into listed operators, and
the result is compared with the model at other batch sizes before anybody trusts it. Where training mode can't be
traced or computes other outputs, the evaluation-mode graph is taken.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from methods.graph.intake.assemble import assemble, plain_names, renamed
from methods.graph.intake.comparing import compare
from methods.graph.intake.exporting import export_program, fixed_batch, fixed_words
from methods.graph.intake.inline import inline, own_names
from methods.graph.intake.inputs import take_apart
from methods.graph.intake.names import CaptureError
from methods.graph.intake.normalise import normalise
from methods.graph.intake.outputs import Flat
from methods.graph.intake.untouched import untouched
from methods.graph.ir import Graph, GraphError, InputSpec
from methods.graph.nodes_json import DTYPES

__all__ = ["CaptureError", "Example", "capture"]

Example = Tensor | tuple[Any, ...] | list[Any] | Mapping[str, Any]
"""What a model is called with: one tensor, its arguments, or its keyword arguments."""


def capture(
    model: nn.Module,
    example: Example,
    *,
    kwargs: Mapping[str, Any] | None = None,
    fixed: Collection[str] = (),
    outputs: Collection[str] | None = None,
) -> Graph:
    """Captures `model`, which stays untouched, in whatever mode it is.

    Args:
        example: what the model is called with: a tensor `[batch, ...]`, a tuple of arguments, or a mapping of keyword
            arguments; arguments may be nested, and what is no tensor (flags, None) becomes part of the model.
        kwargs: keyword arguments beside a tuple.
        fixed: names of inputs that are the same for every sample (an adjacency matrix): they become buffers.
        outputs: names of the outputs to keep; None keeps all. Names are the keys or fields of what the model returns.

    Raises:
        CaptureError: the model can't be exported, its batch size is fixed, it uses an operator that isn't
            supported, an input or output has no batch axis, or its graph computes something else than the model.
    """
    model = _bare(model)
    arguments = take_apart(model, example, kwargs, fixed)
    flat = Flat(model, arguments, outputs)
    with untouched(model):
        try:
            return _attempt(flat, training=True)
        except GraphError as refused:
            try:
                return _attempt(flat, training=False)
            except GraphError:
                raise CaptureError(str(refused)) from refused


def _bare(model: nn.Module) -> nn.Module:
    """The model without wrappers, checked for what can't be captured at all."""
    if not isinstance(model, nn.Module):
        raise CaptureError(f"capture takes a torch.nn.Module, not {type(model).__name__}")
    while isinstance(model, nn.DataParallel | torch._dynamo.eval_frame.OptimizedModule):
        model = model.module if isinstance(model, nn.DataParallel) else model._orig_mod
    if isinstance(model, torch.jit.ScriptModule):
        raise CaptureError("the model is TorchScript; capture the module that it was scripted or traced from")
    for name, value in (*model.named_parameters(), *model.named_buffers()):
        if nn.parameter.is_lazy(value):
            raise CaptureError(f"{name} has no shape yet; run the model on the example once before capturing it")
        if value.is_meta or value.layout != torch.strided or value.is_quantized:
            raise CaptureError(f"{name} is a {value.device.type} tensor of layout {value.layout}, not plain numbers")
        if value.dtype == torch.bfloat16:
            raise CaptureError(f"{name} is bfloat16, which model files don't hold; call model.float() first")
    return model


def _attempt(flat: Flat, training: bool) -> Graph:
    """Captures the model as it is in that mode and compares the result in evaluation mode."""
    flat.train(training)
    example = tuple(flat.arguments.tensors.values())
    pair = tuple(torch.cat([x.detach()[:1]] * 2) for x in example)
    program = export_program(flat, pair)
    fixed = fixed_batch(program)
    try:
        graph = _graph(program, flat, trusted=fixed is None)
        compare(graph, flat.eval(), example)
    except GraphError as error:
        if fixed is None:
            raise
        raise CaptureError(fixed_words(flat.train(training), pair, fixed)) from error
    return graph


@dataclass(frozen=True)
class _Tensors:
    """A program's tensors: `names` from its signature to ours, and `values`, `trainable` by our names."""

    names: dict[str, str]
    values: dict[str, Tensor]
    trainable: frozenset[str]


def _graph(program: Any, flat: Flat, trusted: bool) -> Graph:
    """The Graph of a program; `trusted` says whether the sizes that tracing found hold for any batch."""
    tensors = _tensors(program, flat)
    inputs = tuple(_spec(name, value) for name, value in flat.arguments.tensors.items())
    raw = inline(program, tensors.names, [s.name for s in inputs])
    inputs = renamed(inputs, raw)
    for node in () if trusted else raw.nodes:
        node.meta = {}
    listed = normalise(raw, tensors.values, inputs)
    return assemble(listed, tensors.values, tensors.trainable, inputs, flat.seen.names)


def _tensors(program: Any, flat: Flat) -> _Tensors:
    """Parameters, buffers and constants under the user's own names; one name for weights that are one tensor."""
    parameters = dict(flat.named_parameters(remove_duplicate=False))
    found: dict[str, Tensor] = parameters | dict(flat.named_buffers(remove_duplicate=False))
    for name, value in program.constants.items():
        if isinstance(value, Tensor):
            found.setdefault(name, value)
    ours = plain_names([name.removeprefix("model.") for name in found])
    names = {name: ours[first.removeprefix("model.")] for name, first in own_names(found).items()}
    values = {names[name]: value for name, value in found.items()}
    return _Tensors(names, values, frozenset(names[n] for n in parameters))


def _spec(name: str, value: Tensor) -> InputSpec:
    dtype = str(value.dtype).removeprefix("torch.")
    if dtype not in DTYPES:
        raise CaptureError(f"input {name} is {dtype}; inputs are one of {', '.join(DTYPES)}")
    values = 0 if value.dtype.is_floating_point else int(value.max()) + 1
    return InputSpec(name, tuple(value.shape[1:]), dtype, max(values, 0))

"""An ONNX file becomes a Graph that can be trained, pruned and exported again. Nothing in the file is executed here.

The batch is the first axis of every input, and is free in the Graph even where the file fixes it. Weights of layers
become parameters under the names that the file gives them.
"""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from methods.graph.ir import Graph, first_line
from methods.graph.nodes_json import BadFile
from methods.graph.onnx_in.builder import Builder
from methods.graph.onnx_in.catalogue import MICROSOFT, OPERATORS, remedy
from methods.graph.onnx_in.compare import compare
from methods.graph.onnx_in.inputs import fixed_batch, placeholders, specs
from methods.graph.onnx_in.names import common_scope, identifier
from methods.graph.onnx_in.op import Op
from methods.graph.onnx_in.parse import nodes_of, opset, parse
from methods.graph.onnx_in.tensors import to_torch
from methods.graph.onnx_in.values import Value, constant

Values = MutableMapping[str, Value]


def read(path: Path | str) -> Graph:
    """The Graph of an ONNX file, in evaluation mode, held against onnxruntime on random inputs.

    Raises:
        BadFile: the file is damaged or holds something that a Graph can't; the message names the node, its operator
            and the nearest alternative.
    """
    path = Path(path)
    try:
        return _checked(*parse(path))
    except BadFile as error:
        raise BadFile(f"{path.name}: {error}") from error
    except OSError as error:
        raise BadFile(f"{path.name} can't be read ({first_line(error)})") from error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError, RuntimeError) as error:
        raise BadFile(f"{path.name} is damaged: {type(error).__name__}: {first_line(error)}") from error


def _checked(model: Any, data: bytes) -> Graph:
    """The Graph, compared. A file that calls its batch free but has reshapes to one sample is read as made for one."""
    batch = fixed_batch(model)
    try:
        graph = build(model, batch)
        compare(graph, data, batch)
    except BadFile as error:
        if batch is not None:
            raise
        try:
            graph = build(model, 1)
            compare(graph, data, 1)
        except BadFile:
            raise error from None
    return graph


def build(model: Any, batch: int | None) -> Graph:
    """The Graph of a parsed model without functions, made for a batch size or for any. Raises BadFile."""
    body = model.graph
    uses: Counter[str] = Counter(name for node in nodes_of(body) for name in node.input)
    uses.update(output.name for output in body.output)
    builder = Builder(batch, uses)
    builder.scope = common_scope([node.name for node in body.node])
    values: Values = ChainMap({})
    for tensor in body.initializer:
        values[tensor.name] = constant(to_torch(tensor, tensor.name), tensor.name)
    placed = placeholders(builder, model)
    values.update(placed)
    _walk(builder, body, values, opset(model))
    outputs = [_output(values, output.name) for output in body.output]
    graph = builder.graph(specs(placed, builder.values), outputs, _output_names(body, placed))
    graph.set_training(False)
    return graph


def _walk(builder: Builder, body: Any, values: Values, version: int) -> None:
    for node in body.node:
        inputs = [_input(node, name, values) for name in node.input]
        for name, value in zip(node.output, _translate(builder, node, inputs, values, version), strict=False):
            if name in values:
                raise BadFile(f"two nodes make the value {name[:80]!r}")
            values[name] = value
            value.shared |= any(value is v and builder.uses[n] > 1 for v, n in zip(inputs, node.input, strict=True))


def _input(node: Any, name: str, values: Values) -> Value | None:
    if not name:
        return None
    if name not in values:
        raise BadFile(f"node {node.name[:120]!r} ({node.op_type[:60]}) reads {name[:80]!r}, made by nothing before it")
    return values[name]


def _translate(builder: Builder, node: Any, inputs: list[Value | None], values: Values, version: int) -> list[Value]:
    only = len(inputs) > 0 and all(builder.uses[name] == 1 for name, v in zip(node.input, inputs) if v and v.live)
    if node.op_type == "If" and inputs and inputs[0] is not None and inputs[0].number() is not None:
        return _branch(builder, node, bool(inputs[0].number()), values, version)
    op = Op(node, inputs, builder, version, only)
    plain = node.domain in ("", "ai.onnx") or (node.domain == "com.microsoft" and op.kind in MICROSOFT)
    if not plain or op.kind not in OPERATORS:
        raise op.bad(remedy(op.kind, node.domain))
    if op.kind != "DequantizeLinear" and any(v is not None and v.codes for v in inputs):
        raise op.bad("works on integer codes; put DequantizeLinear right behind QuantizeLinear (QDQ)")
    builder.enter(op.name, op.kind)
    try:
        made = OPERATORS[op.kind](op)
    except BadFile as error:
        raise error if str(op) in str(error) else op.bad(str(error)) from error
    except (RuntimeError, ValueError, IndexError, TypeError, KeyError, NotImplementedError, ArithmeticError) as error:
        raise op.bad(first_line(error)) from error
    if isinstance(made, list):
        return made
    made.solo = only and made.parent is not None and made.parent is inputs[0]
    return [made]


def _branch(builder: Builder, node: Any, taken: bool, values: Values, version: int) -> list[Value]:
    """An If whose condition is known is one of its graphs."""
    name = "then_branch" if taken else "else_branch"
    body = next(a.g for a in node.attribute if a.name == name)
    inner: Values = ChainMap({}, values)
    for tensor in body.initializer:
        inner[tensor.name] = constant(to_torch(tensor, tensor.name))
    _walk(builder, body, inner, version)
    return [inner[output.name] for output in body.output]


def _output(values: Values, name: str) -> Value:
    if name not in values:
        raise BadFile(f"output {name[:80]!r} is made by no node")
    value = values[name]
    if not value.live or value.codes is not None:
        what = "is a constant" if not value.live else "is integer codes; put DequantizeLinear behind it"
        raise BadFile(f"output {name[:80]!r} {what}; remove it: onnx.utils.extract_model")
    first = value.sizes[0] if value.rank else None
    if first is None or str(first) != "batch":
        raise BadFile(
            f"output {name[:80]!r} has the shape [{', '.join(map(str, value.sizes))}]; the batch must be its first "
            "axis. Transpose it, or remove the output: onnx.utils.extract_model"
        )
    return value


def _output_names(body: Any, placed: dict[str, Value]) -> list[str]:
    """Identifiers for the outputs, none of them an input's."""
    taken, names = {value.row for value in placed.values()}, []
    for output in body.output:
        name = identifier(output.name)
        while name in taken:
            name += "_out"
        taken.add(name)
        names.append(name)
    return names

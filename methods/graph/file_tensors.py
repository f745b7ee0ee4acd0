"""Which tensors of a graph are stored together, and as what: a layer's weight with its mask, indices, scales and signs.

One entry of a file stands for a parameter and for the buffers that only say how it is formed. What is packed is what
the layer computes with: behind rounding that is a code for each number, so the full numbers behind it are not kept.
Every packed form is taken back first; one that would change a value of the network is not used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from methods.graph.ir import Graph
from methods.graph.nodes import argument, name_of
from methods.graph.ops import kind_of
from methods.graph.values import value_of
from methods.graph.weight_chain import WeightChain, chain_of
from methods.storage.coded import LARGEST_CODE, Coded
from methods.storage.lookups import LookedUp
from methods.storage.plain import Plain
from methods.storage.records import Record

PER_CHANNEL, PER_TENSOR = "fake_quantize_per_channel_affine", "fake_quantize_per_tensor_affine"
LAYERS = ("conv", "conv_transpose", "linear")


@dataclass(frozen=True, eq=False)
class Stored:
    """One entry: `name` of the tensor that it is about, its record, and by role the other tensors that it holds too
    (`mask`, `indices`, `signs`, `scale`, `zero`). `factors` stands elsewhere; codes are divided by it."""

    name: str
    record: Record
    others: Mapping[str, str] = field(default_factory=dict)
    factors: str = ""
    trainable: bool = True


def stored_tensors(graph: Graph) -> Iterator[Stored]:
    """Every parameter and buffer of a settled graph, in one entry each."""
    packed = _packed_weights(graph)
    covered = {name for entry in packed.values() for name in entry.others.values()}
    for name, tensor, trainable in _tensors(graph):
        if name not in covered:
            yield replace(packed.get(name) or Stored(name, plain_record(tensor)), trainable=trainable)


def plain_record(tensor: Tensor) -> Plain:
    """A tensor of any type as full numbers."""
    value = tensor.detach().cpu().contiguous()
    if value.dtype == torch.bfloat16:
        return Plain(value.view(torch.uint16).numpy(), brain=True)
    return Plain(value.numpy())


def _tensors(graph: Graph) -> list[tuple[str, Tensor, bool]]:
    parameters = [(n, t.detach(), True) for n, t in graph.module.named_parameters()]
    return parameters + [(n, t, False) for n, t in graph.module.named_buffers()]


def _packed_weights(graph: Graph) -> dict[str, Stored]:
    """The weights of layers that take a form, by parameter; none whose tensors anybody else reads too."""
    readers: dict[str, int] = {}
    for node in graph.nodes:
        if node.op == "get_attr":
            readers[str(node.target)] = readers.get(str(node.target), 0) + max(1, len(node.users))
    packed: dict[str, Stored] = {}
    for node in graph.nodes:
        chain = chain_of(node.args[1]) if kind_of(node.target) in LAYERS else None
        if chain is None or chain.is_bare or chain.snap or not _is_private(graph, chain, readers):
            continue
        entry = _looked_up(graph, chain) or _coded(graph, chain) or _masked(graph, chain)
        if entry is not None and all(readers[name] == 1 for name in entry.others.values()):
            packed[entry.name] = entry
    return packed


def _is_private(graph: Graph, chain: WeightChain, readers: Mapping[str, int]) -> bool:
    """Whether the parameter is read here alone, and is of full numbers."""
    node, top = chain.source, chain.rounding or chain.values
    while node is not top:
        if len(node.users) != 1:
            return False
        node = next(iter(node.users))
    trained = graph.tensor(chain.parameter)
    return readers[chain.parameter] == 1 and trained.dtype == torch.float32 and bool(trained.isfinite().all())


def _looked_up(graph: Graph, chain: WeightChain) -> Stored | None:
    if not chain.indices:
        return None
    indices, book = graph.tensor(chain.indices), graph.tensor(chain.parameter).detach()
    shape = tuple(value_of(graph, chain.values).shape)
    if indices.dtype != torch.int32 or indices.dim() != 1 or not 1 <= book.dim() <= 2:
        return None
    others = {"indices": chain.indices} | _fitting(graph, chain, shape)
    mask = graph.tensor(others["mask"]).numpy() if "mask" in others else None
    signs = graph.tensor(others["signs"]).numpy() if "signs" in others else None
    record = LookedUp(book.numpy(), indices.numpy(), shape, mask, signs, chain.kind)
    return Stored(chain.parameter, record, others)


def _fitting(graph: Graph, chain: WeightChain, shape: tuple[int, ...]) -> dict[str, str]:
    """The mask and the signs of a weight, where they have its shape."""
    wanted = {"mask": (chain.mask, torch.bool), "signs": (chain.signs, torch.int8)}
    held = {role: (name, graph.tensor(name)) for role, (name, _) in wanted.items() if name}
    fitting = {role: (n, t) for role, (n, t) in held.items() if t.dtype == wanted[role][1] and t.shape == shape}
    return {role: n for role, (n, t) in fitting.items() if role == "mask" or bool((t.abs() == 1).all())}


def _masked(graph: Graph, chain: WeightChain) -> Stored | None:
    value = graph.tensor(chain.parameter).detach()
    others = {k: v for k, v in _fitting(graph, chain, tuple(value.shape)).items() if k == "mask"}
    if not others or chain.indices:
        return None
    return Stored(chain.parameter, Plain(value.numpy(), graph.tensor(chain.mask).numpy()), others)


def _coded(graph: Graph, chain: WeightChain) -> Stored | None:
    """The weight as whole numbers, if the same rounded weight comes out of them again, bit for bit."""
    if chain.rounding is None or chain.indices or chain.signs or not graph.tensor(chain.parameter).numel():
        return None
    grid = _grid(graph, chain.rounding)
    if grid is None:
        return None
    scale, zero, inner, others = grid
    shape = tuple(graph.tensor(chain.parameter).shape)
    wanted = value_of(graph, chain.rounding).numpy()
    stretched = wanted.reshape(-1, len(scale), inner)
    codes = np.rint(stretched / scale[:, None]).astype(np.int64) + zero[:, None]
    others |= {k: v for k, v in _fitting(graph, chain, shape).items() if k == "mask"}
    mask = graph.tensor(chain.mask).numpy() if "mask" in others else None
    if int(np.abs(codes).max()) > LARGEST_CODE or int(codes.max() - codes.min()) >= 1 << 16:
        return None
    record = Coded(codes.reshape(shape), scale, zero, inner, mask)
    factors = graph.tensor(chain.factors) if chain.factors else None
    again = _evaluated(graph, chain.rounding, {chain.source: behind(record, factors)})
    exact = np.array_equal(again.numpy(), wanted)
    return Stored(chain.parameter, record, others, chain.factors) if exact else None


def behind(record: Coded, factors: Tensor | None) -> Tensor:
    """A parameter that rounds to the codes: their values, divided by what the network multiplies them with."""
    values = torch.from_numpy(record.values)
    if factors is None:
        return values
    return torch.where(factors == 0, torch.zeros_like(values), values / factors)


def _grid(graph: Graph, rounding: fx.Node) -> tuple[Any, Any, int, dict[str, str]] | None:
    """Scales and zero points of a quantiser, the stretch that each is for, and their names where they are tensors."""
    inner = rounding.args[0]
    while isinstance(inner, fx.Node) and name_of(inner) in ("view", "reshape"):
        inner = inner.args[0]
    if isinstance(inner, fx.Node) and name_of(inner) in ("permute", "transpose", "t"):
        return None
    shape = value_of(graph, rounding.args[0]).shape
    scale, zero = argument(rounding, "scale"), argument(rounding, "zero_point")
    if name_of(rounding) == PER_TENSOR and isinstance(scale, float) and isinstance(zero, int):
        return np.array([scale], np.float32), np.array([zero], np.int32), max(1, shape.numel()), {}
    if name_of(rounding) != PER_CHANNEL or not all(
        isinstance(n, fx.Node) and n.op == "get_attr" for n in (scale, zero)
    ):
        return None
    steps, points = value_of(graph, scale), value_of(graph, zero)
    if steps.dtype != torch.float32 or points.dtype != torch.int32 or not bool((steps > 0).all()):
        return None
    after = shape[int(argument(rounding, "axis")) % len(shape) + 1 :]
    return steps.numpy(), points.numpy(), after.numel(), {"scale": str(scale.target), "zero": str(zero.target)}


def _evaluated(graph: Graph, node: fx.Node, known: Mapping[fx.Node, Tensor]) -> Tensor:
    """The value of a node with other values for some that it depends on."""
    if node in known:
        return known[node]
    if node.op == "get_attr":
        return graph.tensor(str(node.target)).detach()
    args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: _evaluated(graph, n, known))
    with torch.no_grad():
        value: Tensor = node.target(*args, **kwargs)  # type: ignore[operator]
    return value

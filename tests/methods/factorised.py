"""What the tests of factorisations share: networks of one layer, and what stands in plans."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hwmodels.device import Device
from hwmodels.workload import Op
from methods.depthwise_separable import DepthwiseSeparable
from methods.factorisation import Factorisation, RankedFactorisation
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.low_rank import LowRank
from methods.separable import Separable
from methods.tucker import Tucker2

DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9}, {}, ())
EVERY: tuple[Factorisation, ...] = (DepthwiseSeparable(), Separable(), Tucker2(), LowRank())


class One(nn.Module):
    """A network of one layer."""

    def __init__(self, made: nn.Module) -> None:
        super().__init__()
        self.one = made

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.one(x)
        return y


SITE = "weight:one"


def layer(made: nn.Module, *shape: int) -> Graph:
    """A network of one layer, called `one`, for inputs of that shape."""
    return capture(One(made), torch.zeros(2, *shape))


def set_weight(graph: Graph, value: Tensor) -> None:
    """Gives the one layer another weight."""
    with torch.no_grad():
        graph.tensor("one.weight").copy_(value)


def shown(op: Op) -> tuple[object, ...]:
    """All of an operator but its names and the sites it follows."""
    return op.kind, op.weights, op.inputs, op.outputs, op.macs, op.attributes, op.site, op.weight_bytes


def followed(op: Op) -> set[tuple[object, ...]]:
    """Which axes follow the pruning sites of the network before it was factorised, whatever they are called now."""
    dims = (d for d in op.dims if not d.site.endswith((".v", ".core")))
    return {(d.tensor, d.axis, d.site.replace(".u", ""), d.per_unit, d.units, len(d.also)) for d in dims}


def conv() -> Graph:
    """One 3x3 convolution from 6 to 10 channels, with a stride and padding."""
    torch.manual_seed(0)
    return layer(nn.Conv2d(6, 10, 3, stride=2, padding=1), 6, 8, 8)


def ranks(method: RankedFactorisation, share: float = 1.0) -> str:
    """The word for the full ranks of that convolution, or a share of them."""
    full = method.full((10, 6, 3, 3))
    return "rank:" + ",".join(str(max(1, int(share * rank))) for rank in full)

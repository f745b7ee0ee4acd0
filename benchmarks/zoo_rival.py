"""What torch-pruning finds in a network: units that it can remove one group at a time without breaking the network.

Fang et al., "DepGraph: towards any structural pruning", 2023, arXiv 2301.12900. Its failures are results.
"""

from __future__ import annotations

import copy
import importlib.util
from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn

INSTALL = "pip install --no-deps torch-pruning==1.6.1"


def available() -> bool:
    """Whether torch-pruning is installed."""
    return importlib.util.find_spec("torch_pruning") is not None


def rival(model: nn.Module, example: tuple[Tensor, ...]) -> str:
    """Units in groups of which half can go: the network runs, and its outputs are as if their weights were 0.

    Groups that change an output's shape are the network's own outputs and don't count. Those after which the network
    no longer runs are told apart by the exception's name, those that change its results by `wrong`: `77`,
    `57 (and 32 IndexError)`, `ZeroDivisionError`. Groups through normalisations over channels are not compared.
    """
    units: Counter[str] = Counter()
    try:
        model = model.eval()
        for number in range(len(_groups(copy.deepcopy(model), example))):
            count, outcome = _halved(copy.deepcopy(model), example, number)
            units[outcome] += count
    except Exception as error:  # whatever it raises is what the table is to show
        return type(error).__name__
    broken = ", ".join(f"{n} {name}" for name, n in units.items() if name not in ("fine", "output"))
    return f"{units['fine']}" + (f" (and {broken})" if broken else "")


def _groups(model: nn.Module, example: tuple[Tensor, ...]) -> list[Any]:
    """What its pruner would do for half of the channels, group by group; nothing is done yet."""
    import torch_pruning

    importance = torch_pruning.importance.MagnitudeImportance()
    pruner = torch_pruning.pruner.BasePruner(model, example, importance, pruning_ratio=0.5)
    return list(pruner.step(interactive=True))


def _halved(model: nn.Module, example: tuple[Tensor, ...], number: int) -> tuple[int, str]:
    """Units of one group, and what happens without half of them: fine, output, wrong, or an exception's name."""
    half = _groups(model, example)[number]
    units = 2 * len(half[0][1])
    try:
        comparable = _zero(half)
        expected = _outputs(model, example)
        half.prune()
        actual = _outputs(model, example)
    except Exception as error:  # as above
        return units, type(error).__name__
    if [t.shape for t in expected] != [t.shape for t in actual]:
        return units, "output"
    close = all(torch.allclose(a, b, rtol=1e-3, atol=1e-4 * float(a.abs().max())) for a, b in zip(expected, actual))
    return units, "fine" if close or not comparable else "wrong"


def _zero(group: Any) -> bool:
    """Zeroes the weights of the units of a group; whether the result says what removing them must give."""
    comparable = True
    for dependency, indices in group:
        module, reads = dependency.target.module, dependency.handler.__name__ == "prune_in_channels"
        if isinstance(module, nn.LayerNorm | nn.GroupNorm | nn.RMSNorm | nn.InstanceNorm2d | nn.MultiheadAttention):
            comparable = False
        elif isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
            turned = isinstance(module, nn.modules.conv._ConvTransposeNd)
            _zero_weight(module, indices, columns=reads != turned)
            if not reads and module.bias is not None:
                module.bias.data[indices] = 0.0
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.weight.data[indices] = module.bias.data[indices] = 0.0
    return comparable


def _zero_weight(module: Any, channels: list[int], columns: bool) -> None:
    """Zeroes rows of a weight, or columns, which count on from group to group."""
    if not columns:
        module.weight.data[channels] = 0.0
        return
    weight = module.weight.data.unflatten(0, (getattr(module, "groups", 1), -1))
    for channel in channels:
        weight[channel // weight.shape[2], :, channel % weight.shape[2]] = 0.0


def _outputs(model: nn.Module, example: tuple[Tensor, ...]) -> list[Tensor]:
    with torch.no_grad():
        return torch.utils._pytree.tree_leaves(model(*example))

"""Cost model `roofline`: operator by operator the larger of compute time and traffic time, plus a fixed overhead.

A model, not a measurement: its latency and energy follow the datasheet and stated rules, so the figures carry no error
bar (their error against silicon is unknown) and a limit on such a device holds in the model's own terms. Counts
(weight_bytes, macs) are exact. File bytes are left out: they belong to the exported file, not to the device.

Reference: Williams, Waterman, Patterson, "Roofline: an insightful visual performance model for multicore
architectures", CACM 52(4), 2009.
"""

from __future__ import annotations

from hwmodels.arithmetic import rate, time_share
from hwmodels.base import Cost, Figure, OpCost, Source
from hwmodels.device import Device
from hwmodels.energy import op_energy_j
from hwmodels.memory import peak_bytes, weight_bytes
from hwmodels.traffic import MOVERS, groups, traffic, traffic_time_s
from hwmodels.workload import Op, Workload


class Roofline:
    """Additive over operators: latency, energy, weight bytes and MACs are sums, peak bytes come from liveness."""

    name = "roofline"

    def estimate(self, workload: Workload, device: Device) -> Cost:
        """Figures latency_s, energy_j, peak_bytes (modelled), weight_bytes and macs (counted).

        Raises UnsupportedOp for the first operator whose precision the device lacks.
        """
        per_op = tuple(self.op_cost(op, device) for op in workload.ops)
        figures = {
            "latency_s": Figure(sum(c.latency_s for c in per_op), Source.MODELLED),
            "energy_j": Figure(sum(c.energy_j for c in per_op), Source.MODELLED),
            "weight_bytes": Figure(sum(c.weight_bytes for c in per_op), Source.COUNTED),
            "peak_bytes": Figure(peak_bytes(workload, device), Source.MODELLED),
            "macs": Figure(sum(c.macs for c in per_op), Source.COUNTED),
        }
        return Cost(figures, per_op)

    def op_cost(self, op: Op, device: Device) -> OpCost:
        """One operator; kind `data` costs its traffic alone. Raises UnsupportedOp."""
        moved = traffic(op, device)
        latency = traffic_time_s(moved, device)
        if op.kind != "data":
            latency = max(latency, compute_time_s(op, device)) + device.op_overhead_s
        energy = op_energy_j(op, device, moved) + device.static_power_w * latency
        return OpCost(op.name, op.kind, latency, energy, weight_bytes(op, device), op.macs, Source.MODELLED)


def compute_time_s(op: Op, device: Device) -> float:
    """Seconds of arithmetic at the rate of the operator's precision and the efficiency of its kind.

    An operator without multiply-accumulates (a pool, an activation) does one operation per element that it reads or
    writes, whichever are more. What the device skips of zero weights takes no time.

    Raises UnsupportedOp where the device lacks the precision.
    """
    if op.kind in MOVERS:
        return 0.0
    peak = rate(op, device)
    work = op.macs or max(sum(t.elements for t in op.inputs), sum(t.elements for t in op.outputs))
    share = time_share(op, device) if device.skips else 1.0
    return work * share / (peak * _efficiency(op, device))


def is_depthwise(op: Op) -> bool:
    """Whether each group of a convolution sees one channel only."""
    return op.kind == "conv" and bool(op.weights) and op.weights[0].shape[1] == 1 and groups(op) > 1


def _efficiency(op: Op, device: Device) -> float:
    """Share of the peak; depthwise convolutions fall back to `conv`, kinds without a figure reach the peak.

    `conv/int8` wins over `conv`.
    """
    table = device.efficiency
    kind = "depthwise" if op.kind == "conv" and "depthwise" in table and is_depthwise(op) else op.kind
    plain = table.get(kind, 1.0)
    return table.get(f"{kind}/{op.precision}", plain)

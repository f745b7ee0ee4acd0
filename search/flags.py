"""Notes on an outcome: what its figures alone would not tell whoever deploys the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwmodels.arithmetic import stages_seen
from hwmodels.base import Source
from hwmodels.memory import peak_activation_bytes
from methods.catalogue import METHODS
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.onnx_out.packed import runs_packed
from search.context import Context
from search.judging import NOISE

FAR = 0.05
"""A fit of the untouched model below which its labels are doubted: it says hardly more than their mean."""


def flags_of(context: Context, outcome: Mapping[str, Any], graph: Graph) -> list[str]:
    """What a user must know before deploying: slower though smaller, too large for the device, a gain in storage only;
    or that the labels look wrong."""
    after = outcome["compressed"]["costs"]
    flags = _far_from_labels(outcome["untouched"]["quality"])
    device = context.device
    flags += slower_flags(outcome["untouched"]["costs"], outcome["compressed"], device.id)
    activations = peak_activation_bytes(lower(graph, device.batch), device)
    for name, capacity, needed in (
        ("flash", device.flash_bytes, after["file_bytes"]["value"]),
        ("RAM for activations", device.ram_bytes, activations),
    ):
        if capacity and needed > capacity:
            flags.append(f"needs {needed:.0f} bytes of {name}; the device has {capacity}")
    return flags + _stored_only(outcome["compressed"]["recipe"], graph, stages_seen(device))


def slower_flags(before: Mapping[str, Any], compressed: Mapping[str, Any], device: str) -> list[str]:
    """Where being smaller, or quantised, has not made it faster: held against what was measured in the same run."""
    after, plain = compressed["costs"], compressed.get("unquantised") or {}
    flags = []
    if slower(after["latency_s"], before["latency_s"]) and after["file_bytes"]["value"] < before["file_bytes"]["value"]:
        flags.append(f"smaller but slower than the untouched model on {device}: {_times(after, before)}")
    if plain and slower(after["latency_s"], plain["latency_s"]):
        flags.append(f"quantised but slower than the same without quantisation on {device}: {_times(after, plain)}")
    return flags


def slower(after: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether one latency is above another by more than the noise of a measurement."""
    doubt = max(NOISE, *(float(f.get("error", 0.0)) for f in (after, before))) if _is_measured(after, before) else 0.0
    return float(after["value"]) > float(before["value"]) * (1.0 + doubt)


def _is_measured(*figures: Mapping[str, Any]) -> bool:
    return all(figure["source"] == Source.MEASURED.value for figure in figures)


def _times(after: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    share = after["latency_s"]["value"] / before["latency_s"]["value"]
    same = _is_measured(after["latency_s"], before["latency_s"])
    how = "measured in the same run" if same else after["latency_s"]["source"]
    return f"{share:.2f}x its latency ({how})"


def _stored_only(recipe: Mapping[str, Any], graph: Graph, seen: frozenset[str]) -> list[str]:
    """What makes the file smaller and nothing else: methods whose stage the device hasn't `seen`, and rounded weights
    that no operator takes packed."""
    methods = {step["method"]: METHODS[step["method"]] for step in recipe["steps"]}
    idle = {name for name, method in methods.items() if not method.runs and method.stage not in seen}
    stored = [step for step in recipe["steps"] if step["method"] in idle]
    names, covered = [step["method"] for step in stored], {site for step in stored for site in step["choices"]}
    unpacked = [site for site, packed in runs_packed(graph).items() if not packed and site not in covered]
    flags = []
    if names:
        words = " and ".join([", ".join(names[:-1])] * (len(names) > 1) + names[-1:])
        flags.append(f"{words}: a gain in storage only; this runtime computes with full weights all the same")
    if unpacked:
        flags.append(f"rounded for storage only, computed with full weights: {', '.join(unpacked)}")
    return flags


def _far_from_labels(quality: Mapping[str, Any]) -> list[str]:
    """A model that was trained on values in other units than the labels, or gives logits where they are shares."""
    if quality.get("fit", 1.0) >= FAR:
        return []
    return [
        "the untouched model comes no nearer to the labels than their mean does, so quality says little: "
        "are the labels in the units that it was trained with?"
    ]

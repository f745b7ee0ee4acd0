"""Notes on an outcome: what its figures alone would not tell whoever deploys the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwmodels.memory import peak_activation_bytes
from methods.catalogue import METHODS
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.onnx_out.packed import runs_packed
from search.context import Context

FAR = 0.05
"""A fit of the untouched model below which its labels are doubted: it says hardly more than their mean."""


def flags_of(context: Context, outcome: Mapping[str, Any], graph: Graph) -> list[str]:
    """What a user must know before deploying: slower though smaller, too large for the device, a gain in storage only;
    or that the labels look wrong."""
    before, after = outcome["untouched"]["costs"], outcome["compressed"]["costs"]
    flags = _far_from_labels(outcome["untouched"]["quality"])
    if after["latency_s"]["value"] > before["latency_s"]["value"] and (
        after["file_bytes"]["value"] < before["file_bytes"]["value"]
    ):
        flags.append("smaller but slower than the untouched model")
    device = context.device
    activations = peak_activation_bytes(lower(graph, device.batch), device)
    for name, capacity, needed in (
        ("flash", device.flash_bytes, after["file_bytes"]["value"]),
        ("RAM for activations", device.ram_bytes, activations),
    ):
        if capacity and needed > capacity:
            flags.append(f"needs {needed:.0f} bytes of {name}; the device has {capacity}")
    return flags + _stored_only(outcome["compressed"]["recipe"], graph)


def _stored_only(recipe: Mapping[str, Any], graph: Graph) -> list[str]:
    """What makes the file smaller and nothing else: methods, and rounded weights that no operator takes packed."""
    stored = [step for step in recipe["steps"] if not METHODS[step["method"]].runs]
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

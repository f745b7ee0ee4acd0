"""Documents as a search leaves them, for tests of what is shown: a LeNet-5 fitted to half its latency."""

from __future__ import annotations

import math
from typing import Any

LAYERS = (
    ("conv1", "conv", 288_000, 2_080),
    ("conv2", "conv", 1_600_000, 100_200),
    ("fc1", "linear", 400_000, 1_602_000),
)


def figure(value: float, source: str, error: float = 0.0) -> dict[str, Any]:
    """One Cost figure as JSON."""
    return {"value": value, "source": source, "error": error}


def costs(share: float, source: str = "looked up") -> dict[str, Any]:
    """Costs of a network at this share of the untouched one."""
    return {
        "latency_s": figure(2.1e-4 * share, source, 0.01),
        "energy_j": figure(1.4e-4 * share, "modelled", 0.2),
        "weight_bytes": figure(1_724_320 * share**2, "counted"),
        "file_bytes": figure(1_731_900 * share**2, "counted"),
        "peak_bytes": figure(96_000 * share, "modelled"),
        "macs": figure(2_293_000 * share, "counted"),
    }


def quality(score: float, samples: int = 500) -> dict[str, Any]:
    """Quality with a 95 % interval by the normal approximation."""
    half = 1.96 * math.sqrt(max(score * (1 - score), 1e-4) / samples)
    return {
        "score": score,
        "accuracy": score,
        "loss": 0.1,
        "samples": samples,
        "low": score - half,
        "high": min(score + half, 1),
    }


def recipe(share: float) -> dict[str, Any]:
    """Pruning of two layers and int8 everywhere."""
    return {
        "steps": [
            {"method": "channel-pruning", "choices": {"channels:conv1": share, "channels:fc1": share}},
            {"method": "quantization", "choices": {"weight:conv1": "int8", "weight:fc1": "int8"}},
        ]
    }


def trial(number: int, share: float) -> dict[str, Any]:
    """A finished trial: within the limit up to half the latency, and not scored where it is far beyond it."""
    kept = share <= 0.5
    scored = quality(0.984 - 0.03 * (1 - share) ** 3 - 0.002 * (number % 3)) if share < 0.8 else {}
    state = "done" if kept else "infeasible"
    return {
        "number": number,
        "origin": ("plan", "uniform", "local")[number % 3],
        "state": state,
        "recipe": recipe(share),
        "costs": costs(share),
        "quality": scored,
        "error": "",
    }


def trials(count: int = 24) -> list[dict[str, Any]]:
    """Trials spread over the whole range, in a mixed order."""
    return [trial(number, 0.15 + 0.8 * ((number * 7) % count) / count) for number in range(count)]


def reference() -> dict[str, Any]:
    """The untouched model."""
    return {"costs": costs(1.0, "measured"), "quality": quality(0.984), "parameters": 431_080}


def rounds() -> list[dict[str, Any]]:
    """A search that went on once."""
    reason = "finalists came out 4.0 % slower than estimated; the search went on with latency at most 0.48x"
    return [{"evaluations": 24, "finalists": [1, 2, 3], "tightened": {"latency": 1e-4}, "reason": reason}]


def alone() -> list[dict[str, Any]]:
    """Each method at its middle choice: pruning pays, integers don't, and there are no blocks."""
    entries = []
    for method, chosen, latency in (("channel-pruning", 0.5, 0.43), ("low-rank", 0.25, 1.03)):
        known = {"latency_s": (latency, "looked up"), "energy_j": (0.4, "modelled"), "file_bytes": (0.3, "counted")}
        ratios = {name: {"ratio": share, "source": source, "error": 0.05} for name, (share, source) in known.items()}
        entries.append({"method": method, "value": chosen, "sites": 4, "ratios": ratios, "error": ""})
    error = "no place for it in this model on local-onnxruntime"
    return [*entries, {"method": "block-removal", "value": None, "sites": 0, "ratios": {}, "error": error}]


def energy_levels() -> dict[str, Any]:
    """Energy by memory level, before and after."""
    shares = {"arithmetic": (2e-5, 0.5e-5), "level 1": (3e-5, 1.2e-5), "DRAM": (9e-5, 3.9e-5)}
    levels = [{"name": name, "before": before, "after": after} for name, (before, after) in shares.items()]
    return {"levels": levels, "source": "modelled"}


def outcome(**changes: Any) -> dict[str, Any]:
    """A feasible outcome; `changes` replace whole entries."""
    layers = [
        {
            "name": name,
            "kind": kind,
            "before": {"macs": macs, "weight_bytes": size, "latency_s": 8e-5 * macs / 1e6},
            "after": {"macs": macs // 3, "weight_bytes": size // 12, "latency_s": 3.5e-5 * macs / 1e6},
            "choices": {"channel-pruning": 0.5, "quantization": "int8"},
        }
        for name, kind, macs, size in LAYERS
    ]
    document: dict[str, Any] = {
        "outcome": "feasible",
        "reason": "",
        "untouched": reference(),
        "compressed": {
            "costs": costs(0.4, "measured"),
            "quality": quality(0.978),
            "parameters": 120_300,
            "recipe": recipe(0.5),
            "trial": 5,
        },
        "limits": [
            {"metric": "latency", "value": 1.05e-4, "text": "0.5x", "achieved": 8.4e-5, "kept": True},
            {"metric": "size", "value": 300_000, "text": "300kB", "achieved": 277_104, "kept": True},
        ],
        "finalists": [{"trial": n, "costs": costs(0.4), "quality": quality(0.977), "kept": True} for n in (5, 8, 11)],
        "least_achievable": {"latency": {"value": 3e-5, "source": "looked up"}},
        "device": "local-onnxruntime",
        "rounds": rounds(),
        "alone": alone(),
        "energy_levels": energy_levels(),
        "flags": ["conv1 in int8 is slower than in fp32 on this device"],
        "layers": layers,
        "files": {"model.fwm": 201_000, "model.onnx": 277_104},
        "bundle": "",
    }
    return document | changes


def infeasible() -> dict[str, Any]:
    """An outcome that says no before any trial ran."""
    limit = {"metric": "latency", "value": 2.1e-7, "text": "0.001x", "achieved": None, "kept": False}
    reason = "No recipe reaches a latency of 0.001x; the least achievable is 0.14x."
    return outcome(
        outcome="infeasible",
        reason=reason,
        compressed=None,
        limits=[limit],
        finalists=[],
        layers=[],
        flags=[],
        energy_levels=None,
    )

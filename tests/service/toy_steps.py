"""A search over a toy problem, with the verbs of `search.steps`: quick, deterministic, and as slow as is asked for.

The "model" is any file. A recipe is one share per site; latency falls with the shares, the score a little less.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwmodels.base import HardwareModelError, Measurement
from hwmodels.lookup import LookupModel
from search.devices import Hardware
from search.problem import SearchError
from search.rounds import again, finished, held, rejudged

__all__ = ["again"]

SITES, VALUES, BATCH = ("a", "b", "c"), (1.0, 0.75, 0.5, 0.25), 4
DELAY_S = float(os.environ.get("TOY_DELAY_S", "0"))
Document = dict[str, Any]


@dataclass
class Context:
    """`spoil` may name what goes wrong: it is taken from the request's name."""

    request: Document

    @property
    def spoil(self) -> str:
        return str(self.request["name"])


def open_context(request: Document, model_path: Path, dataset: Path | str, hardware: Hardware) -> Context:
    if request["name"] == "bad data":
        raise SearchError("samples are [3] but the model takes [4]")
    assert model_path.is_file()
    if isinstance(hardware.cost_model, LookupModel):
        hardware.cost_model.table.add("overhead", "an empty call", Measurement(1e-6, 1e-6, 1e-6, 1, 0.0))
    return Context(request)


def prepare(ctx: Context, sensitivities: list[Document], on_sensitivity: Any, on_progress: Any) -> Document:
    known = {row["key"] for row in sensitivities}
    wanted = [(site, value) for site in SITES for value in VALUES[1:]]
    for done, (site, value) in enumerate(wanted):
        on_progress("measuring sensitivities", done, len(wanted))
        if f"{site}|{value}" not in known:
            time.sleep(DELAY_S)
            on_sensitivity({"key": f"{site}|{value}", "method": "toy", "site": site, "value": value, "loss": 1 - value})
    limit = float(str(ctx.request["limits"]["latency"]).rstrip("x"))
    prepared: Document = {
        "reference": {"costs": costs(1.0), "quality": {"score": 1.0, "accuracy": 1.0}, "parameters": 10},
        "limits": [{"metric": "latency", "value": limit, "text": f"{limit}x"}],
        "least_achievable": {"latency": costs(0.25)["latency_s"]},
        "infeasible": [{"metric": "latency", "limit": limit, "least": 0.25}] if limit < 0.25 else [],
        "evaluations": ctx.request["evaluations"],
        "seed": ctx.request["seed"],
    }
    return prepared


def next_recipes(prepared: Document, sensitivities: list[Document], trials: list[Document]) -> list[Document]:
    assert len(sensitivities) == len(SITES) * (len(VALUES) - 1)
    start = len(trials)
    return [new_trial(prepared, trials, n) for n in range(start, min(prepared["evaluations"], start + BATCH))]


def new_trial(prepared: Document, trials: list[Document], number: int) -> Document:
    """Depends on all scores so far, so that any trial lost, doubled or in another order shows."""
    mixed = int(1e6 * sum(t["quality"].get("score", 0.5) for t in trials)) + prepared["seed"]
    picked = {site: VALUES[(mixed // 4**i + number * (i + 1)) % 4] for i, site in enumerate(SITES)}
    return {"number": number, "origin": "toy", "recipe": {"steps": [{"method": "toy", "choices": picked}]}}


def evaluate(ctx: Context, prepared: Document, trial: Document) -> Document:
    time.sleep(DELAY_S)
    if ctx.spoil == "stubborn" and trial["number"] == 1:
        time.sleep(60.0)
    if ctx.spoil == "told error" and trial["number"] == 1:
        raise HardwareModelError("no figure for conv of 7x7")
    if ctx.spoil == "unexpected error" and trial["number"] == 1:
        raise KeyError("secret detail")
    if ctx.spoil == "deadly" and trial["number"] == 1:
        os.kill(os.getpid(), 9)
    shares = trial["recipe"]["steps"][0]["choices"].values()
    latency = sum(shares) / len(SITES)
    score = float("nan") if ctx.spoil == "not a number" else 1.0 - 0.1 * sum((1 - s) ** 2 for s in shares)
    kept = latency <= held(prepared)[0]["value"]
    found = {"costs": costs(latency), "quality": {"score": score, "accuracy": score, "loss": 1 - score, "samples": 8}}
    return {**trial, "state": "done" if kept else "infeasible", **found, "error": ""}


def finalists(prepared: Document, trials: list[Document]) -> list[int]:
    before = finished(prepared)
    done = [t for t in rejudged(prepared, trials) if t["state"] == "done" and t["number"] not in before]
    return [t["number"] for t in sorted(done, key=lambda t: (-t["quality"]["score"], t["number"]))[:3]]


def finish(ctx: Context, prepared: Document, trial: Document, folder: Path) -> Document:
    time.sleep(DELAY_S)
    if ctx.spoil == "disk full":
        raise OSError(28, "No space left on device")
    if ctx.spoil == "no finalist" or (ctx.spoil == "one finalist fails" and trial["number"] % 2):
        raise SearchError("it can't be exported")
    folder.mkdir()
    (folder / "model.fwm").write_text(json.dumps(trial["recipe"]))
    limit = prepared["limits"][0]
    came_to = trial["costs"]["latency_s"]["value"] * (1.1 if ctx.spoil == "measures slower" else 1.0)
    came_to = 1.05 * limit["value"] if ctx.spoil == "never fast enough" else came_to
    verdict = {**limit, "achieved": came_to, "kept": came_to <= limit["value"]}
    found = {"costs": costs(came_to), "quality": trial["quality"], "limits": [verdict], "kept": verdict["kept"]}
    return {"trial": trial["number"], "recipe": trial["recipe"], "folder": str(folder), **found, "error": ""}


def conclude(
    ctx: Context, prepared: Document, trials: list[Document], results: list[Document], folder: Path
) -> Document:
    outcome: Document = {
        "outcome": "infeasible" if prepared["infeasible"] else "undecided",
        "reason": "nothing keeps the limit",
        "untouched": prepared["reference"],
        "compressed": None,
        "limits": prepared["limits"],
        "least_achievable": prepared["least_achievable"],
        "bundle": "",
    }
    kept = [r for r in results if r["kept"]]
    if not kept:
        return outcome
    best = max(kept, key=lambda r: (r["quality"]["score"], -r["trial"]))
    folder.mkdir()
    (folder / "model.fwm").write_bytes((Path(best["folder"]) / "model.fwm").read_bytes())
    (folder / "recipe.json").write_text(json.dumps(best["recipe"]))
    compressed = {name: best[name] for name in ("costs", "quality", "recipe", "trial")} | {"parameters": 5}
    return outcome | {"outcome": "feasible", "reason": "", "compressed": compressed, "bundle": str(folder)}


def costs(latency: float) -> Document:
    return {"latency_s": {"value": latency, "source": "modelled", "error": 0.0}}


if __name__ == "__main__":
    import argparse
    import sys

    from service.settings import load_settings
    from service.worker import run_worker

    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int)
    run_worker(load_settings(), sys.modules["__main__"], parser.parse_args().parent)

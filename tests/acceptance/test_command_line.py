"""The main job from the command line, with networks as users have them, on the local runtime."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.serving import FITWRIGHT, ROOT, digits_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained network as a file."""
    return digits_model(tmp_path_factory.mktemp("model"))


def cli(home: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs the command line; its exit code must be `code`."""
    environment = os.environ | {"FITWRIGHT_HOME": str(home)}
    done = subprocess.run([FITWRIGHT, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


MODEL_FILE = """
import torch
from examples.networks import {network}
from examples.train import train
from search.data import load_dataset
from search.splits import split

def make_model():
    torch.manual_seed(0)
    return train({network}(), split(load_dataset("digits"), 0).train, 10, 0)
"""


@pytest.mark.parametrize(
    ("network", "limits"),
    [("residual_digits", ["latency=0.95x", "size=0.5x"]), ("depthwise_digits", ["macs=0.7x", "size=0.5x"])],
)
def test_a_users_own_network(network: str, limits: list[str], tmp_path: Path) -> None:
    """A Python file goes through capture, inspect, search, check and replay on the local runtime."""
    (tmp_path / "my_model.py").write_text(MODEL_FILE.format(network=network))
    source, captured, out = f"{tmp_path}/my_model.py:make_model", str(tmp_path / "m.fwm"), str(tmp_path / "out")
    cli(tmp_path, "capture", source, "--input", "1x1x8x8", "-o", captured)
    inspected = json.loads(cli(tmp_path, "inspect", captured, "--json").stdout)
    assert all(group["relative_error"] < 1e-4 for group in inspected["groups"])
    options = [option for limit in limits for option in ("--limit", limit)]
    command = ["search", captured, "--data", "digits", "--device", "local-onnxruntime", *options]
    effort = ["--evaluations", "8", "--recovery-epochs", "4"]
    found = json.loads(cli(tmp_path, *command, *effort, "--out", out, "--json").stdout)
    assert found["outcome"] == "feasible"
    assert json.loads(cli(tmp_path, "check", out, "--json").stdout)["ok"]
    assert json.loads(cli(tmp_path, "replay", out, "--json").stdout)["identical"]


RECIPE = {
    "steps": [
        {"method": "channel-pruning", "choices": {"channels:*": 0.75}},
        {"method": "low-rank", "choices": {"weight:features.7": 0.5}},
        {"method": "sparsity", "choices": {"weight:*": 0.5}},
        {"method": "quantization", "choices": {"weight:*": "int8"}},
    ],
    "training": {"schedule": "gradual", "recovery": "distillation", "settings": {"temperature": 6.0}},
}


def test_a_recipe_of_ones_own(model: Path, tmp_path: Path) -> None:
    """Pruned, factorised, masked and quantised at the same sites: carried out, checked and repeated."""
    out, path = str(tmp_path / "out"), tmp_path / "recipe.json"
    path.write_text(json.dumps(RECIPE))
    command = ["apply", str(model), str(path), "--data", "digits", "--recovery-epochs", "4", "--limit", "size=0.3x"]
    found = json.loads(cli(tmp_path, *command, "--out", out, "--json").stdout)
    assert found["outcome"] == "feasible"
    steps = found["result"]["compressed"]["recipe"]["steps"]
    assert [step["method"] for step in steps] == [step["method"] for step in RECIPE["steps"]]  # type: ignore[index]
    assert found["result"]["compressed"]["quality"]["accuracy"] > 0.8
    assert json.loads(cli(tmp_path, "check", out, "--json").stdout)["ok"]
    assert json.loads(cli(tmp_path, "replay", out, "--json").stdout)["identical"]


def test_a_recipe_that_does_not_fit_names_the_site(model: Path, tmp_path: Path) -> None:
    """One line, exit code 1, with what there is instead."""
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps({"steps": [{"method": "sparsity", "choices": {"weight:nowhere": 0.5}}]}))
    told = cli(tmp_path, "apply", str(model), str(path), "--data", "digits", code=1)
    assert "sparsity can't act at 'weight:nowhere'; it has weight:features" in " ".join(told.stderr.split())


def test_an_impossible_budget(model: Path, tmp_path: Path) -> None:
    """Exit code 3, with the least achievable value."""
    command = ["search", str(model), "--data", "digits", "--device", "local-onnxruntime", "--limit", "latency=0.001x"]
    found = json.loads(cli(tmp_path, *command, "--json", code=3).stdout)
    assert found["outcome"] == "infeasible"
    assert found["result"]["least_achievable"]["latency"]["value"] > 0


@pytest.mark.parametrize("limit", ["latency=5 msec?", "latency=-1ms", "latency=0x", "latency=NaN"])
def test_unusable_limits(limit: str, model: Path, tmp_path: Path) -> None:
    """Exit code 2 and one line that names the limit."""
    command = ["search", str(model), "--data", "digits", "--device", "cortex-m7-analytical", "--limit", limit]
    assert limit.split("=")[1].split()[0] in cli(tmp_path, *command, code=2).stderr

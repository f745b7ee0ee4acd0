"""The files in docker/ say what is so: they parse, name what exists, and open nothing to the world."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from yamllint import linter
from yamllint.config import YamlLintConfig

from service.settings import Settings

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
COMPOSE = DOCKER / "compose.yaml"
RULES = YamlLintConfig("{extends: default, rules: {line-length: {max: 120}}}")
KNOWN = {"FROM", "ARG", "WORKDIR", "COPY", "RUN", "USER", "ENV", "VOLUME", "HEALTHCHECK", "CMD"}


def instructions(name: str) -> list[tuple[str, str]]:
    """(instruction, arguments) of a Dockerfile, continuation lines joined, comments left out."""
    text = (DOCKER / name).read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


def test_compose_is_clean() -> None:
    """yamllint has nothing to say about it."""
    assert [str(problem) for problem in linter.run(COMPOSE.read_text(), RULES)] == []


@pytest.mark.parametrize("name", ["service.Dockerfile", "worker.Dockerfile"])
def test_dockerfiles_name_what_exists(name: str) -> None:
    """Every instruction is known, every file that is copied is here, and the last user isn't root."""
    found = instructions(name)
    assert {word for word, _ in found} <= KNOWN
    assert found[0][0] == "FROM"
    copied = [source for word, rest in found if word == "COPY" for source in rest.split()[:-1]]
    assert all((ROOT / source).exists() for source in copied)
    assert [rest for word, rest in found if word == "USER"][-1] != "root"


@pytest.mark.parametrize("name", ["service.Dockerfile", "worker.Dockerfile"])
def test_their_commands_exist(name: str) -> None:
    """What a container runs is a command of the command line."""
    words = re.findall(r'"([^"]+)"', dict(instructions(name))["CMD"])
    assert words[0] == "fitwright"
    code = "from service.cli import main; main()"
    reply = subprocess.run(
        [sys.executable, "-c", code, *words[1:], "--help"], cwd=ROOT, capture_output=True, check=False
    )
    assert reply.returncode == 0, reply.stderr.decode()


def test_every_setting_is_one(compose: dict[str, Any]) -> None:
    """Variables in compose.yaml and the Dockerfiles are settings of the service."""
    names = {name for part in compose["services"].values() for name in part["environment"] if "FITWRIGHT" in name}
    for name in ("service.Dockerfile", "worker.Dockerfile"):
        names |= {word.split("=")[0] for kind, rest in instructions(name) if kind == "ENV" for word in rest.split()}
    assert {name.removeprefix("FITWRIGHT_").lower() for name in names} <= set(Settings.model_fields)


def test_nothing_listens_beyond_the_machine(compose: dict[str, Any]) -> None:
    """Published ports are bound to the loopback address; no part publishes any other."""
    ports = [port for part in compose["services"].values() for port in part.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_service_and_worker_share_database_and_home(compose: dict[str, Any]) -> None:
    """Both have the same settings and volume, and wait for the database."""
    service, worker = compose["services"]["service"], compose["services"]["worker"]
    assert service["environment"] == worker["environment"]
    assert service["volumes"] == worker["volumes"]
    assert service["depends_on"] == worker["depends_on"] == {"database": {"condition": "service_healthy"}}


def test_every_setting_is_in_the_docs() -> None:
    """docs/how-to/deploy.md has a row for each."""
    text = (ROOT / "docs/how-to/deploy.md").read_text()
    assert [name for name in Settings.model_fields if f"`FITWRIGHT_{name.upper()}`" not in text] == []

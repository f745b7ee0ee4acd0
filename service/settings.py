"""Settings of the service, from the environment (`FITWRIGHT_...`)."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import ServiceError


class BadSettings(ServiceError):
    """The service can't start as it is set up."""


class Settings(BaseSettings):
    """Everything that can be set; each by FITWRIGHT_ and its name in capitals.

    Attributes:
        home: folder of the database, the uploads and the bundles; shared by all workers of one service.
        database_url: `sqlite:///...` or `postgresql+psycopg://...`; by default a SQLite file in `home`.
        workers: how many worker processes the service starts; 0 if they run elsewhere (`fitwright worker`).
        executor: where they run: `local` processes, or `ray` actors on a cluster of this machine.
        host, port: where the service listens.
        upload_limit_bytes: the largest upload that is taken.
        lease_s: how long a worker that fell silent keeps its task.
        cancel_grace_s: how long a running evaluation may take to notice that its search was cancelled.
        agent_patience_s: how long a measurement waits for an agent of its device to come back.
        poll_s: how often an idle worker looks for work. scheduler: whether due schedules are started here.
    """

    model_config = SettingsConfigDict(env_prefix="FITWRIGHT_", extra="forbid", frozen=True)

    home: Path = Path(".fitwright")
    database_url: str = ""
    workers: int = Field(default=1, ge=0, le=256)
    executor: Literal["local", "ray"] = "local"
    host: str = "127.0.0.1"
    port: int = Field(default=8077, ge=0, le=65535)
    upload_limit_bytes: int = Field(default=512 * 2**20, ge=1024)
    lease_s: float = Field(default=30.0, ge=0.5, le=3600.0)
    cancel_grace_s: float = Field(default=3.0, ge=0.0, le=300.0)
    agent_patience_s: float = Field(default=3600.0, ge=1.0, le=30 * 86400.0)
    poll_s: float = Field(default=0.2, gt=0.0, le=60.0)
    scheduler: bool = True
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("host")
    @classmethod
    def _loopback(cls, host: str) -> str:
        if host == "localhost" or _is_loopback(host):
            return host
        raise ValueError(
            f"{host} can be reached from other machines, and there are no keys yet that would keep strangers out: "
            "use 127.0.0.1, and reach it from elsewhere through an SSH tunnel"
        )

    @property
    def database(self) -> str:
        """The address of the database that is really used."""
        return self.database_url or f"sqlite:///{self.home / 'fitwright.db'}"

    def environment(self) -> dict[str, str]:
        """The variables that give another process the same settings."""
        return {f"FITWRIGHT_{name.upper()}": str(value) for name, value in self.model_dump().items()}


def load_settings(**given: Any) -> Settings:
    """Settings from the environment, with those `given` in their place.

    Raises:
        BadSettings: names the setting and what would be right.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise BadSettings(f"FITWRIGHT_{name.upper()}={first['input']}: {reason}") from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

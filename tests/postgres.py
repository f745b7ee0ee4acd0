"""A real PostgreSQL of the tests' own: in a temporary folder, reached by its Unix socket alone, gone at the end."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

SETTINGS = ("listen_addresses=", "fsync=off", "max_connections=120", "shared_buffers=16MB", "timezone=UTC")


class PostgresMissing(RuntimeError):
    """PostgreSQL's server programs are not installed. On Debian: apt-get install postgresql."""


class Postgres:
    """A running server; `new_database()` gives the address of an empty database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0
        self._admin = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://fitwright@/{name}?host={self.folder}"

    def new_database(self) -> str:
        self._count += 1
        name = f"test_{self._count}"
        with self._admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return self.url(name)

    def wait(self, server: subprocess.Popen[bytes]) -> None:
        """Returns when the server answers."""
        for _ in range(300):
            try:
                with self._admin.connect():
                    return
            except OperationalError:
                if server.poll() is not None:
                    break
                time.sleep(0.1)
        raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def close(self) -> None:
        self._admin.dispose()


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Starts a server, as an unprivileged user where we are root, and stops it at the end."""
    programs, user = binaries(), _user()
    folder = Path(tempfile.mkdtemp(prefix="fitwright-pg-"))
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    try:
        make = [
            programs / "initdb",
            "-D",
            folder / "data",
            "-U",
            "fitwright",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        subprocess.run(make, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)
        with (folder / "log").open("wb") as log:
            options = [part for setting in SETTINGS for part in ("-c", setting)]
            run: list[str | Path] = [programs / "postgres", "-D", folder / "data", "-k", folder, *options]
            server = subprocess.Popen(run, user=user, cwd=folder, stdout=log, stderr=log, preexec_fn=_die_with_parent)
        postgres = Postgres(folder)
        try:
            postgres.wait(server)
            yield postgres
        finally:
            postgres.close()
            server.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    if on_path:
        return Path(on_path).resolve().parent
    raise PostgresMissing(PostgresMissing.__doc__)


def _user() -> str | None:
    """PostgreSQL refuses to run as root: then its own user, or nobody."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG: no server is left behind by a killed test run

"""The agent: serves a device of a Fitwright service from the board that it is about.

    python -m hwmodels.agent --server http://127.0.0.1:8077 --key KEY --device my-board

It takes what there is to measure, runs it in a process of its own, and sends back what it found. It needs numpy and the
runtime, nothing else. It keeps nothing and tells no times of its own clock, so that it may be ended at any moment.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NoReturn, Protocol, TypeVar

from hwmodels.agent_link import Away, Job, Link, Refused
from hwmodels.agent_protocol import PROTOCOL
from hwmodels.agent_renewal import Renewal
from hwmodels.base import HardwareModelError, UnsupportedOp
from hwmodels.machine import machine_key
from hwmodels.profilers.channel import Reply
from hwmodels.profilers.installed import all_installed
from hwmodels.profilers.process import Child

WAIT_S = 20.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
WRONG = 2
KEY_VARIABLE = "FITWRIGHT_AGENT_KEY"
T = TypeVar("T")


class Say(Protocol):
    """Tells what happens: one line, or one JSON document with the facts."""

    def __call__(self, event: str, text: str, **facts: Any) -> None: ...


class Agent:
    """Serves one device until it is ended. A service that is away is waited for; Refused ends it."""

    def __init__(self, link: Link, device: str, say: Say, new_table: bool = False) -> None:
        self._link, self._device, self._say, self._new_table = link, device, say, new_table
        self._child = Child()
        self._id, self._most_bytes = "", 0

    def serve(self, once: bool = False) -> None:
        """Takes job after job, or one."""
        try:
            self._register()
            while not (self._serve_one() and once):
                pass
        finally:
            self._child.close()

    def _register(self) -> None:
        about = {"protocol": PROTOCOL, "version": own_version(), "machine": machine_key(), "runtimes": all_installed()}
        about["new_table"] = self._new_table
        found = self._patiently(partial(self._link.register, self._device, about))
        self._id, self._most_bytes, self._new_table = found["id"], found["reply_bytes"], False
        told = ", ".join(f"{name} {v}" for name, v in all_installed().items())
        self._say("registered", f"serving {self._device} as {self._id} ({machine_key()}; {told})", agent=self._id)

    def _serve_one(self) -> bool:
        """Waits for a job for a while; whether there was one."""
        try:
            job = self._patiently(partial(self._link.claim, self._id, WAIT_S))
        except Refused as error:
            if error.status != 404:
                raise
            self._register()  # the service doesn't know this agent: it may have another database now
            return False
        if job is not None:
            self._work(job)
        return job is not None

    def _work(self, job: Job) -> None:
        began = time.monotonic()
        self._say("job", f"{job.id}: {what_is_asked(job)}", job=job.id)
        try:
            with Renewal(self._link, job, self._child) as renewal:
                header, blobs = self._fitting(self._measured(job))
                if renewal.lost:
                    raise Refused(renewal.lost)
                self._patiently(partial(self._link.answer, job, header, blobs))
        except Refused as error:
            if error.status == 401:
                raise
            self._say("dropped", f"{job.id}: its reply doesn't count: {error}", job=job.id, reason=str(error))
        except KeyboardInterrupt:
            self._give_back(job)
            raise
        else:
            ended = f"answered: {header['error']}" if "error" in header else "done"
            spent_s = time.monotonic() - began
            self._say("answered", f"{job.id}: {ended}, {spent_s:.1f} s", job=job.id, error=header.get("error", ""))

    def _measured(self, job: Job) -> Reply:
        """The measuring process's reply; what goes wrong there is a reply too."""
        try:
            return self._child.request(job.header, job.blobs, float(job.header.get("timeout_s", 120.0)))
        except HardwareModelError as error:
            return {"error": str(error), "unsupported": isinstance(error, UnsupportedOp)}, []

    def _fitting(self, reply: Reply) -> Reply:
        size = sum(map(len, reply[1]))
        if size < self._most_bytes - (1 << 20):
            return reply
        words = f"the reply has {size:,} bytes and the service takes {self._most_bytes:,}"
        return {"error": f"{words}: raise FITWRIGHT_UPLOAD_LIMIT_BYTES there"}, []

    def _give_back(self, job: Job) -> None:
        try:
            self._link.release(job)
            self._say("released", f"{job.id}: given back", job=job.id)
        except HardwareModelError as error:
            self._say("released", f"{job.id}: goes back by itself soon ({error})", job=job.id)

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Tries until the service answers; says once that it doesn't, and once that it does again."""
        pause_s = 0.0
        while True:
            try:
                found = ask()
            except Away as error:
                if not pause_s:
                    self._say("away", f"{error}; trying again until it answers")
                pause_s = min(LONGEST_PAUSE_S, 2 * pause_s or FIRST_PAUSE_S)
                time.sleep(pause_s)
            else:
                if pause_s:
                    self._say("back", f"{self._link.address} is back")
                return found


def what_is_asked(job: Job) -> str:
    """A job in a few words."""
    if job.header.get("action") == "time":
        return f"timing {len(job.blobs)} program{'s' if len(job.blobs) > 1 else ''} on {job.header.get('runtime')}"
    return f"asking {job.header.get('runtime')} what it makes of a network"


def own_version() -> str:
    """The version of this program; `unknown` where its files were copied without being installed."""
    try:
        return version("fitwright")
    except PackageNotFoundError:
        return "unknown"


def run(server: str, key: str, device: str, once: bool = False, as_json: bool = False, new_table: bool = False) -> int:
    """Serves until Ctrl-C; the exit code: 0, or WRONG with one line on standard error that says what was wrong."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        link = Link(server, key or os.environ.get(KEY_VARIABLE, ""))
        Agent(link, device, _say_json if as_json else _say_plain, new_table).serve(once)
    except HardwareModelError as error:
        print(f"fitwright agent: {error}", file=sys.stderr, flush=True)
        return WRONG
    except KeyboardInterrupt:
        (_say_json if as_json else _say_plain)("ended", "ended; what wasn't answered goes to the next agent")
    return 0


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _say_plain(event: str, text: str, **facts: Any) -> None:
    del event, facts
    print(text, flush=True)


def _say_json(event: str, text: str, **facts: Any) -> None:
    print(json.dumps({"event": event, "text": text, **facts}), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m hwmodels.agent`"""
    parser = argparse.ArgumentParser(prog="fitwright agent", description="Serves a device from the board it is about.")
    parser.add_argument("--server", required=True, help="address of the service, such as http://127.0.0.1:8077")
    parser.add_argument("--key", default="", help=f"the device's key, shown when it was made ({KEY_VARIABLE})")
    parser.add_argument("--device", required=True, help="id of the device")
    parser.add_argument("--once", action="store_true", help="end after one job")
    parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document a line")
    parser.add_argument("--new-table", action="store_true", help="go on here though the device was another machine")
    return run(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())

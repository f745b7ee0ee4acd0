"""The measuring child: `python -m hwmodels.profilers.child FOLDER` answers requests on its input until that ends.

A crash of the runtime takes only this process. A request that runs past its time is ended by the alarm signal, which
works inside native code too and when nobody is left to kill the child. It needs numpy and the runtime, nothing else:
on a small device this is all there is.

Requests name the runtime, whose file in `runtimes` opens programs, and an action:

    time   programs -> a Measurement each, all interleaved; with `meter` also the joules of a call, where this machine
           has a meter
    look   whatever the runtime's file tells of a program
    about  what the machine tells of itself: `near_bytes`, what a core's nearest caches hold (0: not told)
"""

from __future__ import annotations

import importlib
import math
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache, partial
from typing import Any, BinaryIO, NoReturn

from hwmodels.base import HardwareModelError, UnsupportedOp
from hwmodels.machine import near_bytes
from hwmodels.meters.catalogue import meter_here
from hwmodels.meters.meter import with_energy
from hwmodels.profilers.channel import Reply
from hwmodels.profilers.cores import are_apart, one_core
from hwmodels.profilers.frames import pack, unpack
from hwmodels.profilers.gauge import Gauge, Run, new_gauge, new_sweep
from hwmodels.profilers.timing import EFFORTS, measure_interleaved

RUNTIMES = frozenset({"onnxruntime", "openvino", "litert", "inductor", "onnxruntime-cuda"})


def main(folder: str = "") -> None:
    """Answers until end of file, then removes `folder`: the starter, whose it is, may be gone.

    What libraries print goes to standard error, so that it can't end up in a frame.
    """
    try:
        _serve()
    except (EOFError, BrokenPipeError):
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)


def _serve() -> NoReturn:
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    read = partial(_read_exactly, sys.stdin.buffer)
    while True:
        header, blobs = unpack(read)
        _at(str(header["action"]))
        signal.alarm(math.ceil(float(header["timeout_s"])) + 1)
        reply, answer_blobs = _answer(header, blobs)
        signal.alarm(0)
        output.writelines(pack(reply, answer_blobs))
        output.flush()


def _answer(header: dict[str, Any], blobs: list[bytes]) -> Reply:
    try:
        return _ACTIONS[header["action"]](header, blobs)
    except UnsupportedOp as error:
        return {"error": str(error), "unsupported": True}, []
    except HardwareModelError as error:
        return {"error": str(error)}, []
    except Exception as error:  # the runtime's own error types are bound at run time and share no base class
        return {"error": f"the runtime refused: {' '.join(str(error).split())}"}, []


def _look(header: dict[str, Any], blobs: list[bytes]) -> Reply:
    answer: Reply = _runtime(header).look(header, blobs)
    return answer


def _time(header: dict[str, Any], blobs: list[bytes]) -> Reply:
    """`copies` of each program take turns; `optimise` says whether the runtime may change them before it runs them.

    With `own_gauge` the first program is the gauge's work on several threads; with `disturb` the next one runs ahead of
    every call of the others. Neither is timed itself. With `sweep` memory is read before that, more than a core's own
    caches hold.
    """
    runs: list[list[Run]] = []
    ahead = None
    gauge, blobs = _gauge(header, blobs)
    if header.get("disturb"):
        ahead, blobs = _runtime(header).open_run(blobs[0], header), blobs[1:]
    if header.get("sweep"):
        ahead = _both(new_sweep(), ahead)
    for label, program in zip(header["labels"], blobs, strict=True):
        _at(label)
        opened = (_runtime(header).open_run(program, header) for _ in range(header["copies"]))
        runs.append(list(opened))
    _at("timing")
    with one_core(gauge.hears_quiet) if header["threads"] == 1 else nullcontext():
        found = measure_interleaved(runs, gauge, EFFORTS[header["effort"]], ahead)
    if header.get("meter"):
        _at("metering")
        found = with_energy(found, [copies[0] for copies in runs], meter_here(header["runtime"]))
    return {"measurements": [vars(m) for m in found], "gauge_s": gauge.level_s}, []


def _about(header: dict[str, Any], blobs: list[bytes]) -> Reply:
    del header, blobs
    return {"near_bytes": near_bytes()}, []


_ACTIONS: dict[str, Callable[[dict[str, Any], list[bytes]], Reply]] = {"time": _time, "look": _look, "about": _about}


def _runtime(header: dict[str, Any]) -> Any:
    if header["runtime"] not in RUNTIMES:
        raise HardwareModelError(f"this process knows no runtime {str(header['runtime'])[:80]!r}")
    return importlib.import_module(f"hwmodels.profilers.runtimes.{header['runtime'].replace('-', '_')}")


def _both(first: Run, second: Run | None) -> Run:
    """One after the other."""

    def run() -> None:
        first()
        if second is not None:
            second()

    return run


@cache
def _known_gauge(several: bool) -> Gauge:
    return new_gauge(_nothing if several else None)


def _nothing() -> None:
    """Stands for the work that the next request brings."""


def _gauge(header: dict[str, Any], blobs: list[bytes]) -> tuple[Gauge, list[bytes]]:
    """This process's gauge, which also knows the level that an earlier one saw; and the other programs."""
    several = bool(header.get("own_gauge"))
    gauge = _known_gauge(several)
    if several:
        gauge.runs["several"], blobs = _runtime(header).open_run(blobs[0], header), blobs[1:]
        gauge.may_begin = are_apart
    gauge.known_s = float(header["gauge_s"])
    return gauge, blobs


def _at(what: str) -> None:
    """The last line on standard error says what was going on when a child died."""
    print(f"at: {what}", file=sys.stderr, flush=True)


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The measuring child: `python -m hwmodels.profilers.child FOLDER` answers requests on its input until that ends.

A crash of the runtime takes only this process. A request that runs past its time is ended by the alarm signal, which
works inside native code too and when nobody is left to kill the child.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import sys
from collections.abc import Callable
from functools import cache, partial
from typing import Any, BinaryIO, NoReturn

from hwmodels.base import HardwareModelError, Measurement, UnsupportedOp
from hwmodels.profilers.frames import pack, unpack
from hwmodels.profilers.gauges import CHAIN, empty, new_gauge
from hwmodels.profilers.nodes import runtime_nodes
from hwmodels.profilers.sessions import bound_run, open_session
from hwmodels.profilers.timing import Effort, Gauge, measure_interleaved

Reply = tuple[dict[str, Any], list[bytes]]

NETWORKS = Effort(burst_s=20e-3, together=True, budget_s=15.0)
GLANCE = Effort(bursts=4, most_bursts=8, burst_s=10e-3, together=True, budget_s=0.6)
NODES = Effort()
LARGE = 100_000_000  # bytes of networks from which on only one copy of each is opened
ITSELF = Effort(bursts=40, most_bursts=40, together=True, pause_s=0.03)


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


def _list_nodes(header: dict[str, Any], blobs: list[bytes]) -> Reply:
    nodes = runtime_nodes(blobs[0], header["batch"], header["threads"], header["known"])
    rows = [{"name": n.name, "op_type": n.op_type, "signature": n.signature} for n in nodes]
    return {"nodes": rows}, [n.model for n in nodes]


def _time_networks(header: dict[str, Any], blobs: list[bytes]) -> Reply:
    copies = 3 if sum(map(len, blobs)) < LARGE else 1
    return _times(_measure(header, blobs, True, copies, NETWORKS)), []


def _glance(header: dict[str, Any], blobs: list[bytes]) -> Reply:
    return _times(_measure(header, blobs, True, 1, GLANCE)), []


def _time_nodes(header: dict[str, Any], blobs: list[bytes]) -> Reply:
    return _times(_measure(header, blobs, False, 1, NODES)), []


def _time_itself(header: dict[str, Any], _: list[bytes]) -> Reply:
    """One call of a network without nodes (what a chain of empty nodes costs, less the nodes), and the gauge."""
    chains = [bound_run(open_session(empty(length), 1, header["threads"], optimise=False)) for length in (1, CHAIN)]
    gauge = _gauge(header)
    one, chain, work = measure_interleaved([[run] for run in (*chains, gauge.run)], gauge, ITSELF)
    node_s = (chain.latency_s - one.latency_s) / (CHAIN - 1)
    share = max(0.1, 1.0 - node_s / one.latency_s)
    scaled = (one.latency_s * share, one.p10_s * share, one.median_s * share)
    overhead = Measurement(*scaled, one.calls, max(one.disagreement, chain.disagreement))
    return _times([overhead, work]), []


_ACTIONS: dict[str, Callable[[dict[str, Any], list[bytes]], Reply]] = {
    "list nodes": _list_nodes,
    "time networks": _time_networks,
    "glance": _glance,
    "time nodes": _time_nodes,
    "time itself": _time_itself,
}


def _measure(
    header: dict[str, Any], models: list[bytes], optimise: bool, copies: int, effort: Effort
) -> list[Measurement]:
    runs = []
    for label, model in zip(header["labels"], models, strict=True):
        _at(label)
        sessions = [open_session(model, header["batch"], header["threads"], optimise) for _ in range(copies)]
        runs.append([bound_run(session) for session in sessions])
    _at("timing")
    return measure_interleaved(runs, _gauge(header), effort)


@cache
def _own_gauge() -> Gauge:
    return new_gauge()


def _gauge(header: dict[str, Any]) -> Gauge:
    """This process's gauge, which also knows the best time that an earlier one saw."""
    gauge = _own_gauge()
    gauge.best_s = min(gauge.best_s, header["gauge_s"] or float("inf"))
    return gauge


def _times(measurements: list[Measurement]) -> dict[str, Any]:
    return {"measurements": [vars(m) for m in measurements], "gauge_s": _own_gauge().best_s}


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

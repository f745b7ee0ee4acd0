"""What a stored model offers: found once per model, in a process with limits, and kept as a file beside the model.

So is whatever else is asked of a stored model and takes long (`answered`; see comparing.py).
"""

from __future__ import annotations

import json
import logging
import math
import os
import tempfile
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from db.base import Json
from db.models import ModelRow
from methods.graph.ir import GraphError
from service import child
from service.child import REPLY
from service.errors import Conflict
from service.reading import MEMORY_BYTES, TOGETHER
from service.workspace import Workspace

INSPECT_S = 120.0
"""Longest that a model is looked into, by the clock: longer than reading one may take, as no upload waits for it."""
WAIT_S = 50.0
"""Longest that a request waits for it; whoever asks again later gets what was found meanwhile."""
REFUSED_S = 300.0
"""How long a refusal stands before a model is looked into again: a busy machine may be why it took too long."""
REPLY_BYTES = 1 << 25

log = logging.getLogger(__name__)


class NotYet(Conflict):
    """A model is still being looked into."""


class UnclearModel(GraphError):
    """A model could not be looked into within the limits for that."""


_running: dict[Path, Future[Json]] = {}
_refused: dict[Path, tuple[float, UnclearModel]] = {}
_lock = threading.Lock()


def inspection(workspace: Workspace, row: ModelRow, wait_s: float = WAIT_S) -> Json:
    """What `search.inspect.describe` says of a stored model.

    Raises:
        UnclearModel: it can't be looked into; the message says why.
        NotYet: it is still being looked into after `wait_s`.
        Conflict: the model's file is gone.
    """
    return answered(workspace, row, kept_at(workspace, row), {}, wait_s)


def answered(workspace: Workspace, row: ModelRow, kept: Path, job: Json, wait_s: float) -> Json:
    """What is kept, or what `service.inspector` finds when it is told `job` besides. Raises as `inspection` does."""
    known = child.read_object(kept, REPLY_BYTES)
    if known is not None:
        return known
    model = workspace.blobs.path(row.sha256, ".fwm")
    if not model.is_file():
        raise Conflict(f"the file of model {row.id} is gone from this service; upload it again")
    try:
        return _started(model, kept, job).result(wait_s)
    except TimeoutError as error:
        raise NotYet(f"model {row.id} is still being looked into; ask again in a few seconds") from error


def kept_at(workspace: Workspace, row: ModelRow) -> Path:
    """Where it is kept: beside the model, by the version of what found it."""
    return workspace.blobs.path(row.sha256, f".inspection-{version('fitwright')}.json")


def _started(model: Path, kept: Path, job: Json) -> Future[Json]:
    """The work on a model, begun unless it is under way; requests that come together share it."""
    with _lock:
        since, refusal = _refused.get(kept, (-REFUSED_S, None))
        if refusal is not None and time.monotonic() < since + REFUSED_S:
            raise UnclearModel(str(refusal))
        if kept not in _running:
            _running[kept] = Future()
            threading.Thread(target=_work, args=(model, kept, job, _running[kept]), daemon=True).start()
        return _running[kept]


def _work(model: Path, kept: Path, job: Json, promised: Future[Json]) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix="inspecting-") as scratch:
            found = _confined(model, Path(scratch).resolve(), job)
        _keep(kept, found)
        promised.set_result(found)
    except Exception as error:
        if isinstance(error, UnclearModel):
            _refused[kept] = (time.monotonic(), error)
        promised.set_exception(error)
    finally:
        with _lock:
            _running.pop(kept, None)


def _confined(model: Path, scratch: Path, job: Json) -> Json:
    job = job | {"path": str(model.resolve()), "scratch": str(scratch), "memory_bytes": MEMORY_BYTES}
    job |= {"cpu_s": math.ceil(INSPECT_S), "file_bytes": REPLY_BYTES}
    with TOGETHER:
        ended = child.run("service.inspector", [json.dumps(job)], scratch, INSPECT_S)
    if ended.late:
        raise UnclearModel(f"the model takes more than {INSPECT_S:g} s to look into; `fitwright inspect` has no limit")
    reply = child.read_object(scratch / REPLY, REPLY_BYTES)
    if reply is None:
        log.warning("inspecting %s ended with %d: %s", model.name, ended.status, ended.output[-2000:])
        limits = f"{MEMORY_BYTES // 2**30} GiB and {INSPECT_S:g} s"
        raise UnclearModel(f"the model can't be looked into within {limits}; `fitwright inspect` has no limits")
    if not isinstance(reply.get("found"), dict):
        raise UnclearModel(f"the model can't be looked into: {reply.get('error', 'nothing was found')}")
    return dict(reply["found"])


def _keep(target: Path, found: Json) -> None:
    """Whole or not at all; where it can't be kept, it is found again the next time."""
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix="incoming-")
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(found, file)
            os.replace(name, target)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name)
    except OSError as error:
        log.warning("%s could not be written: %s", target, error)

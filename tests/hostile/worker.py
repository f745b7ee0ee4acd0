"""Reads files one after the other in one process, watched by Python's audit hook: a verdict per line.

It has limits on memory, but may write and start what it likes: a payload that ran would leave its mark.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hostile.case import SECRET

MEMORY_BYTES = 4 << 30
LONGEST_S = 60.0
STARTED = (
    "os.system",
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "pickle.find_class",
    "socket.connect",
)
FORBIDDEN = ("secret.bin", "/etc/passwd", "/proc/self/environ")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Verdict:
    """What came of a file: `loaded`, `refused`, or what should never be: `broke`, `died`, `late`; and what it did."""

    outcome: str
    text: str
    seconds: float = 0.0
    deeds: tuple[str, ...] = ()


def judge(paths: Sequence[Path], folder: Path) -> list[Verdict]:
    """A verdict per file; a file that ends the worker, or that it never finishes, has one too."""
    verdicts: list[Verdict] = []
    while len(verdicts) < len(paths):
        lines = _run(paths[len(verdicts) :], folder / f"verdicts-{len(verdicts)}")
        verdicts += [Verdict(**{**line, "deeds": tuple(line["deeds"])}) for line in lines]
        if len(verdicts) < len(paths):
            verdicts.append(Verdict("died", "the worker ended, or took too long"))
    return verdicts


def _run(paths: Sequence[Path], out: Path) -> list[Any]:
    """The verdicts of one worker, which is ended when it makes no progress."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.hostile.worker", str(out)]
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True)
    assert child.stdin is not None
    child.stdin.write(json.dumps([str(p) for p in paths]).encode())
    child.stdin.close()
    seen, since = 0, time.monotonic()
    while child.poll() is None and time.monotonic() < since + LONGEST_S:
        time.sleep(0.1)
        size = out.stat().st_size if out.exists() else 0
        if size != seen:
            seen, since = size, time.monotonic()
    child.kill()
    child.wait()
    return [json.loads(line) for line in out.read_text().splitlines() if line.endswith("}")] if out.exists() else []


def main() -> None:
    """Reads the paths on standard input; appends a line to the file that is named."""
    from methods.graph import file
    from methods.graph.ir import GraphError
    from methods.graph.load import load_graph
    from service.confine import limit_mappings

    paths = [Path(p) for p in json.load(sys.stdin)]
    limit_mappings(MEMORY_BYTES)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    deeds: list[str] = []
    sys.addaudithook(lambda event, args: _watch(deeds, event, args))
    with Path(sys.argv[1]).open("a") as out:
        for path in paths:
            deeds.clear()
            start = time.monotonic()
            try:
                graph = load_graph(path)
                graph.check()
                outcome, text = "loaded", file.to_bytes(graph)
            except GraphError as error:
                outcome, text = "refused", str(error).encode(errors="replace")
            except BaseException as error:
                outcome, text = "broke", f"{type(error).__name__}: {error}".encode(errors="replace")
            found = [*deeds, *(["the secret is in the result"] if SECRET in text else [])]
            told = text.decode(errors="replace")[:300] if outcome != "loaded" else ""
            verdict = {"outcome": outcome, "text": told, "seconds": time.monotonic() - start, "deeds": found}
            out.write(json.dumps(verdict) + "\n")
            out.flush()


def _watch(deeds: list[str], event: str, args: tuple[Any, ...]) -> None:
    opened = str(args[0]) if event == "open" and args else ""
    if event in STARTED or any(name in opened for name in FORBIDDEN):
        deeds.append(f"{event} {str(args)[:200]}")


if __name__ == "__main__":
    main()

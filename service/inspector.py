"""`python -m service.inspector JOB`: says what a stored model offers, or with a data set which importances suit
it, in a process as confined as service/reader.py.

What is stored has been read once already, but it is what a stranger sent, and following it takes memory and time.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.child import REPLY
from service.confine import confine, limit_mappings

if TYPE_CHECKING:
    from methods.graph.ir import Graph


def main() -> None:
    """Writes `{"found": ...}` or `{"error": ...}` to a file of the scratch folder."""
    job = json.loads(sys.argv[1])
    scratch, path = Path(job["scratch"]), Path(job["path"])
    data = [Path(job["data"])] if job.get("data") else []
    confine(scratch, [path, *data], job["memory_bytes"], job["cpu_s"], job["file_bytes"])
    (scratch / REPLY).write_text(json.dumps(_answer(path, job), allow_nan=False))


def _answer(path: Path, job: dict[str, Any]) -> dict[str, Any]:
    from methods.graph import file
    from search.inspect import describe
    from service.errors import is_told

    memory_bytes = int(job["memory_bytes"])
    limit_mappings(memory_bytes)
    try:
        graph = file.read(path)
        return {"found": _compare(graph, job) if "data" in job else describe(graph)}
    except MemoryError:
        return {"error": f"it takes more than {memory_bytes / 2**30:.0f} GiB to look into"}
    except Exception as error:
        if not is_told(error):
            raise
        return {"error": str(error)[:2000]}


def _compare(graph: Graph, job: dict[str, Any]) -> dict[str, Any]:
    """How well importances foretell removals, on the data set at `data`, or the built-in one called `builtin`."""
    from search.data import load_dataset
    from search.importances import compare_on

    dataset = load_dataset(Path(job["data"])) if job["data"] else load_dataset(str(job["builtin"]))
    return compare_on(graph, replace(dataset, name="the data set"), seconds=float(job["seconds"]))


if __name__ == "__main__":
    main()

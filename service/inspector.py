"""`python -m service.inspector JOB`: says what a stored model offers, in a process as confined as service/reader.py.

What is stored has been read once already, but it is what a stranger sent, and following it takes memory and time.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from service.child import REPLY
from service.confine import confine, limit_mappings


def main() -> None:
    """Writes `{"found": ...}` or `{"error": ...}` to a file of the scratch folder."""
    job = json.loads(sys.argv[1])
    scratch, path = Path(job["scratch"]), Path(job["path"])
    confine(scratch, [path], job["memory_bytes"], job["cpu_s"], job["file_bytes"])
    (scratch / REPLY).write_text(json.dumps(_inspect(path, job["memory_bytes"]), allow_nan=False))


def _inspect(path: Path, memory_bytes: int) -> dict[str, Any]:
    from methods.graph import file
    from search.inspect import describe
    from service.errors import is_told

    limit_mappings(memory_bytes)
    try:
        return {"found": describe(file.read(path))}
    except MemoryError:
        return {"error": f"it takes more than {memory_bytes / 2**30:.0f} GiB to look into"}
    except Exception as error:
        if not is_told(error):
            raise
        return {"error": str(error)[:2000]}


if __name__ == "__main__":
    main()

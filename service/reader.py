"""`python -m service.reader JOB`: reads one file in a confined process, and answers in a file of the scratch folder.

Nothing of ours that needs torch is imported before the process is confined.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from service.child import MODEL, REPLY
from service.confine import confine, limit_mappings


def main() -> None:
    """Writes `{"facts": ...}` or `{"error": ...}`, and `confined`: which protections were in force."""
    job = json.loads(sys.argv[1])
    scratch, path = Path(job["scratch"]), Path(job["path"])
    force = confine(scratch, [path], job["memory_bytes"], job["cpu_s"], job["file_bytes"])
    reply = _read(job["kind"], path, scratch / MODEL, job["memory_bytes"])
    (scratch / REPLY).write_text(json.dumps(reply | {"confined": force}))


def _read(kind: str, path: Path, target: Path, memory_bytes: int) -> dict[str, Any]:
    from service.errors import is_told
    from service.reading import read_data, read_model

    limit_mappings(memory_bytes)
    try:
        facts = read_model(path, target) if kind == "model" else read_data(path)
    except MemoryError:
        return {"error": f"{path.name} takes more than {memory_bytes / 2**30:.0f} GiB to read; send a smaller one"}
    except Exception as error:
        if not is_told(error):
            raise
        return {"error": str(error)[:2000]}
    return {"facts": facts}


if __name__ == "__main__":
    main()

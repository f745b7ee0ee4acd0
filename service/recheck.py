"""`python -m service.recheck check|replay FOLDER ...`: a bundle, held against itself in a process of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from service.errors import is_told


def main(arguments: list[str]) -> int:
    """Prints one JSON document on the last line of stdout; `{"error": ...}` and code 1 where it can't be done."""
    try:
        found = _found(*arguments)
    except Exception as error:
        if not is_told(error):
            raise
        found = {"error": str(error)}
    print(json.dumps(found))
    return int("error" in found)


def _found(verb: str, folder: str, model: str = "", data: str = "") -> dict[str, Any]:
    from search import proofs

    if verb == "check":
        return proofs.check(Path(folder))
    source = Path(data) if data and Path(data).exists() else data or None
    return proofs.replay(Path(folder), Path(model) if model else None, source)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

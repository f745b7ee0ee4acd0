"""The whole demo's wall time, split by stage, from the events that the service wrote.

python -m benchmarks.demo_stages
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time


def main() -> None:
    """Runs the demo in a fresh home and prints where the time went."""
    with tempfile.TemporaryDirectory() as home:
        start = last = time.monotonic()
        phase, spent = "training and start", {}
        command = [sys.executable, "-m", "examples.demo"]
        process = subprocess.Popen(
            command,
            env={**os.environ, "FITWRIGHT_HOME": home, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        for text in process.stdout:
            found = re.match(r"(.+): \d+ of \d+", text)
            if found and found[1] != phase:
                now = time.monotonic()
                spent[phase] = spent.get(phase, 0.0) + now - last
                phase, last = found[1], now
        code = process.wait()
        total = time.monotonic() - start
        spent[phase] = spent.get(phase, 0.0) + time.monotonic() - last
    for name, seconds in spent.items():
        print(f"{name:34} {seconds:6.1f} s  {seconds / total:5.1%}")
    print(f"{'whole demo':34} {total:6.1f} s, exit code {code}")


if __name__ == "__main__":
    main()

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_the_runtime_reports_to_nobody(tmp_path: Path) -> None:
    """Imported through ours, onnxruntime begins no reporting session (which leaves a file in the temporary folder)."""
    kept = {k: v for k, v in os.environ.items() if k not in ("ORT_DISABLE_TELEMETRY", "CI")}
    script = "from hwmodels.onnx_runtime import ort; ort.SessionOptions()"
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", script], cwd=root, env=kept | {"TMPDIR": str(tmp_path)}, check=True)
    assert list(tmp_path.iterdir()) == []

"""onnxruntime with its telemetry off: import `ort` from here, nowhere from the package itself.

Official builds from 1.29 on report sessions, with names and hashes of the models that are loaded, to their maker
unless the environment says otherwise before the library starts (its Privacy.md, "Disabling Telemetry"). Models belong
to the user; whoever wants to report sets ORT_DISABLE_TELEMETRY=0 themselves.
"""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

__all__ = ["ort"]

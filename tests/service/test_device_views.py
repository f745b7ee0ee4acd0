from __future__ import annotations

from service.device_views import operators


def test_swept_rows_are_counted_apart() -> None:
    """What a table shows of a type of operator isn't mixed with what it takes when swept."""
    rows = [
        {"key": "a", "signature": "Gemm(float32[1, 8]) -> float32[1, 8] {} threads=1", "latency_s": 1e-6},
        {"key": "b", "signature": "Gemm(float32[1, 8]) -> float32[1, 8] {} threads=1 swept", "latency_s": 3e-6},
    ]
    found = {entry["type"]: (entry["rows"], entry["most_s"]) for entry in operators(rows)}
    assert found == {"Gemm": (1, 1e-6), "Gemm swept": (1, 3e-6)}

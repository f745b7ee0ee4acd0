"""NVML: what an NVIDIA board draws, memory included, through nvidia-ml-py. Boards of 2017 (Volta) and later count it.

It was written without such a board and never run on one. Reference: NVML API Reference Guide,
nvmlDeviceGetTotalEnergyConsumption (millijoules since the driver was loaded).
"""

from __future__ import annotations

import importlib
from typing import Any

from hwmodels.meters.meter import NoMeter


class Nvml:
    """One board by its number; idle power and other programs count as well."""

    name = "nvml"
    burst_s = 2.0  # in which steps the counter moves is not documented

    def __init__(self, board: int = 0) -> None:
        """Raises NoMeter, saying what is missing: the package, the driver, or the counter."""
        try:
            self._nvml: Any = importlib.import_module("pynvml")
        except ImportError:
            raise NoMeter("a GPU's energy is read through NVML: pip install nvidia-ml-py") from None
        try:
            self._nvml.nvmlInit()
            self._board = self._nvml.nvmlDeviceGetHandleByIndex(board)
            self._title = str(self._nvml.nvmlDeviceGetName(self._board))
        except self._nvml.NVMLError as error:
            raise NoMeter(f"NVML finds no GPU {board} here: {error}") from None
        self.read_j()

    def read_j(self) -> float:
        """Joules since the driver was loaded."""
        try:
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._board)) * 1e-3
        except self._nvml.NVMLError as error:
            raise NoMeter(f"{self._title} doesn't count its energy: {error}") from None

    def describe(self) -> str:
        """The board by name."""
        return f"NVML ({self._title}): the whole board, idle power included"

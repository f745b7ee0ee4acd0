"""Other static quantisers to int8 over the same ONNX program: onnxruntime's own, and nncf's.

Nagel et al., "A white paper on neural network quantization", 2021, arXiv 2106.08295, is what all of them follow.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from hwmodels.onnx_runtime import session

PEERS = Path(__file__).parents[1] / ".peers"
INSTALL = "pip install --no-deps --target .peers -r benchmarks/peers-requirements.txt"
Images = NDArray[np.float32]


def installed(name: str) -> bool:
    """Whether a peer is there, in the environment or in its own folder; that is looked at last, and shadows nothing."""
    if PEERS.is_dir() and str(PEERS) not in sys.path:
        sys.path.append(str(PEERS))
    return importlib.util.find_spec(name) is not None


def quantisers() -> dict[str, Callable[[bytes, Images], bytes]]:
    """Those that are installed, by name."""
    found: dict[str, Callable[[bytes, Images], bytes]] = {"onnxruntime": by_onnxruntime}
    return {**found, "nncf": by_nncf} if installed("nncf") else found


def by_onnxruntime(program: bytes, images: Images) -> bytes:
    """QDQ by min-max: unsigned activations, signed weights, a scale per output channel."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Samples(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self, name: str) -> None:
            self.left: Iterator[Any] = iter([{name: image[None]} for image in images])

        def get_next(self) -> Any:
            return next(self.left, None)

    logging.getLogger().setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        ready, made = Path(folder) / "ready.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(onnx.load_from_string(program), ready)
        kinds = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
        samples = Samples(input_name(program))
        quantize_static(ready, made, samples, quant_format=QuantFormat.QDQ, per_channel=True, **kinds)
        return made.read_bytes()


def by_nncf(program: bytes, images: Images) -> bytes:
    """Its preset for asymmetric activations, with its own correction of biases."""
    nncf = importlib.import_module("nncf")
    logging.getLogger("nncf").setLevel(logging.ERROR)
    name = input_name(program)
    data = nncf.Dataset([image[None] for image in images], lambda image: {name: image})
    preset = nncf.QuantizationPreset.MIXED
    made = nncf.quantize(onnx.load_from_string(program), data, preset=preset, subset_size=len(images))
    return bytes(made.SerializeToString())


def input_name(program: bytes) -> str:
    """What the first input of a program is called."""
    return str(onnx.load_from_string(program).graph.input[0].name)


def share_right(program: bytes, images: Images, labels: NDArray[np.int64]) -> float:
    """The share of right answers in onnxruntime."""
    ready = session(program)
    name = ready.get_inputs()[0].name
    scores = np.concatenate([ready.run(None, {name: part})[0] for part in np.array_split(images, len(images) // 50)])
    return float((scores.argmax(1) == labels).mean())

"""Any model file becomes a Graph: our own `.fwm`, a `.pt2` of torch.export or an ONNX file, read by our own readers."""

from __future__ import annotations

from pathlib import Path

from methods.graph import file
from methods.graph.ir import Graph
from methods.graph.nodes_json import BadFile

PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib", ".h5", ".keras", ".npy")


def load_graph(path: Path | str) -> Graph:
    """Reads a model file by its content; nothing in it is executed. Raises BadFile with the remedy."""
    path = Path(path)
    if not path.is_file():
        raise BadFile(f"there is no file {path}")
    with path.open("rb") as stream:
        head = stream.read(4)
    if path.suffix.lower() in PICKLES or head[:1] == b"\x80":
        raise BadFile(
            f"{path.name} is a pickle, or is named like one; pickles run code and are never read. Convert it where you "
            "trust it: `fitwright capture my_model.py:make_model --input 1x3x32x32 -o model.fwm`"
        )
    if path.suffix.lower() == ".pt2":
        from methods.graph.intake import pt2  # only needed for this kind of file

        return pt2.read(path)
    if path.suffix.lower() == ".onnx" or _is_onnx(head):
        from methods.graph.onnx_in import reader  # the same

        return reader.read(path)
    return file.read(path)


def _is_onnx(head: bytes) -> bool:
    """Whether a file begins as ONNX files do: with the field of the format's version, a small number, and another."""
    return len(head) == 4 and head[0] == 0x08 and 3 <= head[1] <= 32 and head[2] in (0x12, 0x1A, 0x22, 0x3A, 0x42)

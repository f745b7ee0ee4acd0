"""Packing weights into bits against copying them, and our Huffman coding against zlib and zstd on the same indices.

All times are the least of several interleaved runs on one 4096 x 4096 weight; zstd takes part where the package
zstandard is installed (`benchmarks/coding-requirements.txt`).

    python -m benchmarks.coding
"""

from __future__ import annotations

import argparse
import time
import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from methods.numerics import affine, bitpack
from methods.storage import symbols
from methods.storage.pool import joined, opened
from methods.storage.symbols import entropy_bits

zstandard: Any = import_module("zstandard") if find_spec("zstandard") else None

SIDE = 4096
CENTRES = (16, 32, 256)
Steps = Mapping[str, Callable[[], Any]]


def main() -> None:
    """Prints a table of throughputs, and one of bytes and times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=SIDE, help=f"rows and columns of the weight (default {SIDE})")
    parser.add_argument("--runs", type=int, default=5, help="runs, of which the fastest counts (default 5)")
    arguments = parser.parse_args()
    weight = np.random.default_rng(0).standard_normal((arguments.side, arguments.side)).astype(np.float32)
    packing(weight, arguments.runs)
    coding(weight, arguments.runs)


def packing(weight: Any, runs: int) -> None:
    """GB of float32 weights a second that are quantised, packed, unpacked and turned into numbers again."""
    print(
        f"{'bits':>4} {'quantise':>9} {'pack':>9} {'unpack':>9} {'restore':>9} {'all four':>9}   GB/s of fp32 weights"
    )
    for bits in (2, 3, 4, 5, 8):
        high = 2 ** (bits - 1) - 1
        grid = affine.symmetric(weight, (-high, high))
        codes = affine.quantise(weight, grid)
        packed = bitpack.pack(_unsigned(codes, high), bits)
        seconds = fastest(
            {
                "copy": weight.copy,
                "quantise": lambda grid=grid: affine.quantise(weight, grid),
                "pack": lambda codes=codes, high=high, bits=bits: bitpack.pack(_unsigned(codes, high), bits),
                "unpack": lambda packed=packed, bits=bits: bitpack.unpack(packed, bits, weight.size),
                "restore": lambda codes=codes, grid=grid: affine.dequantise(codes, grid),
            },
            runs,
        )
        copy = seconds.pop("copy")
        seconds["all"] = sum(seconds.values())
        rates = " ".join(f"{weight.nbytes / s / 1e9:9.2f}" for s in seconds.values())
        print(
            f"{bits:>4} {rates}   copying: {weight.nbytes / copy / 1e9:.2f}, {seconds['all'] / copy:.0f} times as fast"
        )


def _unsigned(codes: Any, high: int) -> Any:
    return (codes.reshape(-1) + high).astype(np.uint8)


def coding(weight: Any, runs: int) -> None:
    """Bytes and seconds of each coder on codebook indices of the weight."""
    if zstandard is None:
        print("\nzstd is left out: the package zstandard is not installed (benchmarks/coding-requirements.txt)")
    print(f"\n{'centres':>7} {'coder':12} {'bytes':>12} {'of entropy':>10} {'code, s':>9} {'decode, s':>9}")
    for centres in CENTRES:
        indices = _indices(weight, centres)
        least = entropy_bits(np.bincount(indices)) / 8
        for name, (code, decode) in coders().items():
            data = code(indices)
            if not np.array_equal(np.frombuffer(decode(data, len(indices)), np.uint8), indices):
                raise SystemExit(f"{name} lost something")
            seconds = fastest({"code": lambda: code(indices), "decode": lambda: decode(data, len(indices))}, runs)  # noqa: B023
            row = f"{len(data):12,} {len(data) / least:10.3f} {seconds['code']:9.3f} {seconds['decode']:9.3f}"
            print(f"{centres:>7} {name:12} {row}")


def coders() -> dict[str, tuple[Callable[[Any], bytes], Callable[[bytes, int], Any]]]:
    """Name -> how it codes indices, and how it reads them again."""
    found: dict[str, tuple[Callable[[Any], bytes], Callable[[bytes, int], Any]]] = {
        "ours": (lambda rows: joined(symbols.encode(rows)), lambda data, n: symbols.decode(opened(data), n)),
        "zlib -6": (lambda rows: zlib.compress(rows, 6), lambda data, _: zlib.decompress(data)),
    }
    if zstandard is not None:
        reader = zstandard.ZstdDecompressor()
        for level in (3, 9):
            writer = zstandard.ZstdCompressor(level=level)
            found[f"zstd -{level}"] = (
                lambda rows, writer=writer: writer.compress(rows.tobytes()),
                lambda data, _: reader.decompress(data),
            )
    return found


def _indices(weight: Any, centres: int) -> Any:
    """Evenly spaced centres over the weight's range, as shared weights have them: common ones in the middle."""
    edges = np.linspace(weight.min(), weight.max(), centres + 1)[1:-1].astype(np.float32)
    return np.searchsorted(edges, weight.reshape(-1)).astype(np.uint8)


def fastest(steps: Steps, runs: int) -> dict[str, float]:
    """The least seconds of each step, run in turns."""
    seconds = dict.fromkeys(steps, float("inf"))
    for _ in range(runs):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds


if __name__ == "__main__":
    main()

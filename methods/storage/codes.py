"""Stored forms of a tensor: full numbers, 8-bit codes with scales, or a codebook with packed or Huffman-coded indices.

Every encoder takes the smallest of its codecs, and decoding gives back exactly what was encoded. What is decoded may
come from anywhere: nothing is allocated before the declared shape has been held against the bytes that are there.
Huffman coding of codebook indices is the third stage of Deep Compression (Han et al. 2016, arXiv 1510.00149).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from methods.numerics import bitpack
from methods.storage import entropy
from methods.storage.payload import Packed, Reader, StorageError, read_int, read_shape

Array = NDArray[Any]
Pair = tuple[Array, Array]

RAW_TYPES = ("float32", "float16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
OFFSET = 128
"""Added to int8 codes to make symbols of them."""
HALF_LIMIT = 65504.0
"""Largest number that float16 holds."""


def encode_raw(array: Array) -> Packed:
    """Full numbers, little-endian: any shape, any of `RAW_TYPES`."""
    name = array.dtype.name
    if name not in RAW_TYPES:
        raise StorageError(f"arrays of {name} can't be stored; {', '.join(RAW_TYPES)} can")
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return Packed({"code": "raw", "shape": list(array.shape), "dtype": name}, little.tobytes())


def encode_int8(codes: NDArray[np.int8], scale: NDArray[np.float32]) -> Packed:
    """8-bit codes `[channels, ...]` with a scale for each channel `[channels]`, or one for all (`[]` or `[1]`)."""
    _check_values(scale)
    if scale.size not in (1, *codes.shape[:1]):
        raise StorageError(f"codes of shape {codes.shape} take 1 or {codes.shape[:1]} scales, not {scale.size}")
    symbols = (codes.astype(np.int16) + OFFSET).astype(np.uint8).reshape(-1)
    meta = {"shape": list(codes.shape), "scale": list(scale.shape)}
    head = scale.astype("<f4").tobytes()
    if symbols.size and entropy.coded_bytes(symbols, 256) < symbols.size:
        return Packed({"code": "int8-huffman"} | meta, head + entropy.encode(symbols, 256))
    return Packed({"code": "int8"} | meta, head + codes.astype(np.int8).tobytes())


def encode_codebook(codebook: NDArray[np.float32], indices: Array) -> Packed:
    """Indices of any shape into a codebook of 1 to 256 values, which are kept in 16 bits where those are exact."""
    _check_values(codebook)
    centres = codebook.size
    if not 1 <= centres <= 256 or (indices.size and not 0 <= int(indices.min()) <= int(indices.max()) < centres):
        raise StorageError(f"indices must lie below the codebook's {centres} entries, of which it may have 1 to 256")
    flat = indices.reshape(-1).astype(np.uint8)
    bits = max(1, (centres - 1).bit_length())
    half = bool(np.abs(codebook).max() < HALF_LIMIT) and np.array_equal(codebook.astype(np.float16), codebook)
    meta = {"shape": list(indices.shape), "centres": centres, "values": "float16" if half else "float32"}
    head = codebook.astype("<f2" if half else "<f4").tobytes()
    if flat.size and entropy.coded_bytes(flat, centres) < bitpack.packed_bytes(flat.size, bits):
        return Packed({"code": "codebook-huffman"} | meta, head + entropy.encode(flat, centres))
    return Packed({"code": "codebook", "bits": bits} | meta, head + bitpack.pack(flat, bits))


def decode(packed: Packed) -> Array | Pair:
    """What was encoded: an array (raw), (codes, scale) for int8, or (codebook, indices as uint8).

    Raises StorageError for anything that no encoder here would have made.
    """
    code = packed.meta.get("code")
    decoder = DECODERS.get(code) if isinstance(code, str) else None
    if decoder is None:
        raise StorageError(f"unknown storage code {code!r:.60}; known are {', '.join(DECODERS)}")
    reader = Reader(packed.payload)
    decoded = decoder(packed.meta, reader)
    reader.finish()
    return decoded


def _check_values(values: NDArray[np.float32]) -> None:
    if values.dtype != np.float32 or not np.isfinite(values).all():
        raise StorageError(f"scales and codebooks must be finite float32 numbers, not {values.dtype}")


def _raw(meta: Mapping[str, Any], reader: Reader) -> Array:
    if meta.get("dtype") not in RAW_TYPES:
        raise StorageError(f"unknown number type {meta.get('dtype')!r:.60}; known are {', '.join(RAW_TYPES)}")
    if meta["dtype"] == "bool":
        return np.asarray(reader.array("uint8", read_shape(meta)) != 0)
    return reader.array(meta["dtype"], read_shape(meta))


def _int8(meta: Mapping[str, Any], reader: Reader) -> Pair:
    scale = _scale(meta, reader)
    return reader.array("int8", read_shape(meta)), scale


def _int8_huffman(meta: Mapping[str, Any], reader: Reader) -> Pair:
    scale, shape = _scale(meta, reader), read_shape(meta)
    symbols = entropy.decode(reader, 256, prod(shape))
    return (symbols.astype(np.int16) - OFFSET).astype(np.int8).reshape(shape), scale


def _scale(meta: Mapping[str, Any], reader: Reader) -> Array:
    shape = read_shape({"shape": meta.get("scale")})
    if len(shape) > 1 or prod(shape) not in (1, *read_shape(meta)[:1]):
        raise StorageError(f"a scale of shape {shape} does not fit codes of shape {read_shape(meta)}")
    return _finite(reader.array("float32", shape))


def _codebook(meta: Mapping[str, Any], reader: Reader) -> Pair:
    centres, shape, bits = _centres(meta, reader), read_shape(meta), read_int(meta, "bits", 1, 8)
    count = prod(shape)
    indices = bitpack.unpack(reader.take(bitpack.packed_bytes(count, bits)), bits, count)
    return _indexed(centres, indices.reshape(shape))


def _codebook_huffman(meta: Mapping[str, Any], reader: Reader) -> Pair:
    centres, shape = _centres(meta, reader), read_shape(meta)
    return _indexed(centres, entropy.decode(reader, len(centres), prod(shape)).reshape(shape))


def _centres(meta: Mapping[str, Any], reader: Reader) -> Array:
    if meta.get("values") not in ("float16", "float32"):
        raise StorageError(f"codebook values must be float16 or float32, not {meta.get('values')!r:.60}")
    centres = reader.array(meta["values"], (read_int(meta, "centres", 1, 256),))
    return _finite(centres.astype(np.float32))


def _finite(values: Array) -> Array:
    if not np.isfinite(values).all():
        raise StorageError("a packed tensor's scales or codebook hold values that are not finite")
    return values


def _indexed(centres: Array, indices: Array) -> Pair:
    if indices.size and int(indices.max()) >= len(centres):
        raise StorageError(f"an index points past the codebook's {len(centres)} values")
    return centres, indices


DECODERS: dict[str, Callable[[Mapping[str, Any], Reader], Array | Pair]] = {
    "raw": _raw,
    "int8": _int8,
    "int8-huffman": _int8_huffman,
    "codebook": _codebook,
    "codebook-huffman": _codebook_huffman,
}

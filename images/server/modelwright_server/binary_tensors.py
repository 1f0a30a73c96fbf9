"""Tensors as bytes: Triton's binary tensor data, which is also gRPC's raw form.

Values are little-endian, row-major and without gaps; a BOOL is one byte, 0 or 1; a value of BYTES is its length in four
bytes and then itself. Texts are UTF-8.
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence

import numpy as np

from modelwright_contract.vectors import Array
from modelwright_server.problems import Problem
from modelwright_server.tensors import DTYPES, Tensor, label_of, place

_LENGTH = struct.Struct("<I")


def tensor_of_bytes(name: str, datatype: str, shape: Sequence[int], data: memoryview | bytes) -> Tensor:
    """A tensor of a sound datatype and shape; its values are copied. Raises Problem naming the input and the row."""
    values = _texts(name, shape, data) if datatype == "BYTES" else _numbers(name, datatype, shape, data)
    return Tensor(name, datatype, shape, values)


def bytes_of(datatype: str, values: Array) -> bytes:
    """The bytes of numbers or booleans."""
    return values.astype(DTYPES[datatype], copy=False).tobytes()


def bytes_of_texts(texts: Iterable[bytes]) -> bytes:
    """The bytes of a BYTES tensor."""
    return b"".join([_LENGTH.pack(len(text)) + text for text in texts])


def _numbers(name: str, datatype: str, shape: Sequence[int], data: memoryview | bytes) -> Array:
    dtype = DTYPES[datatype]
    expected = math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise Problem(
            f"{label_of(name)}: there are {len(data)} bytes of binary data, shape {list(shape)} of {datatype} "
            f"asks for {expected}"
        )
    if datatype == "BOOL":
        bits = np.frombuffer(data, dtype=np.uint8)
        if (bits > 1).any():
            index = int((bits > 1).argmax())
            raise Problem(f"{place(name, shape, index)}: {bits[index]} is no BOOL; send the byte 0 or 1")
        return bits.astype(np.bool_)
    values = np.frombuffer(data, dtype=dtype)
    # A copy: aligned and writable, which the bytes of a request need not be.
    if datatype not in ("FP16", "FP32"):
        return values.astype(dtype.newbyteorder("="))
    # When it widens them, NumPy would warn of signalling NaNs.
    with np.errstate(invalid="ignore"):
        return values.astype(np.float64)


def _texts(name: str, shape: Sequence[int], data: memoryview | bytes) -> list[object]:
    expected, size = math.prod(shape), len(data)
    texts: list[object] = []
    at = 0
    while at < size and len(texts) < expected:
        begin = at + _LENGTH.size
        if begin > size or (at := begin + _LENGTH.unpack_from(data, at)[0]) > size:
            raise Problem(f"{place(name, shape, len(texts))}: the binary data ends within the value", 400)
        try:
            texts.append(str(data[begin:at], "utf-8"))
        except UnicodeDecodeError:
            raise Problem(f"{place(name, shape, len(texts))}: the value is no UTF-8") from None
    if at < size or len(texts) < expected:
        count = f"more than {expected}" if at < size else str(len(texts))
        raise Problem(f"{label_of(name)}: the binary data has {count} values, shape {list(shape)} asks for {expected}")
    return texts

"""Reading an ONNX file without the onnx package: only what our own converter writes can be read.

A file is a protocol buffer (https://protobuf.dev/programming-guides/encoding, https://onnx.ai/onnx/intro/concepts.html).
A field that is not listed here, and so external data, subgraphs, functions and training steps, is an error: what can't
be read can't be judged, and goes to no runtime.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.generic]
Attribute: TypeAlias = int | Array

MAX_BYTES = 512 << 20
_MAX_FIELDS = 4096
"""Fields of one message; lists of integers count once."""

_VARINT, _BYTES = 0, 2
_DTYPES: dict[int, np.dtype[np.generic]] = {2: np.dtype("u1"), 7: np.dtype("<i8"), 11: np.dtype("<f8")}
"""Element types by their number in TensorProto: uint8, int64, double."""


class OnnxError(ValueError):
    """A file that is no ONNX form of ours, or one that can't be run."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation. `operator` has its domain before it, as in `ai.onnx.ml.TreeEnsemble`, unless that is empty."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True, slots=True)
class Graph:
    """What a file holds: operations in order, constants by name, and free texts by name."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    texts: Mapping[str, str]


def read_graph(content: bytes) -> Graph:
    """Read a file. Raises OnnxError."""
    if len(content) > MAX_BYTES:
        raise OnnxError(f"the file has {len(content)} bytes, at most {MAX_BYTES} are read")
    graph: memoryview | None = None
    texts: dict[str, str] = {}
    for number, value in _fields(memoryview(content), {1: _VARINT, 2: _BYTES, 7: _BYTES, 8: _BYTES, 14: _BYTES}):
        match number, value:
            case 7, memoryview() if graph is None:
                graph = value
            case 7, _:
                raise OnnxError("the file holds two graphs")
            case 14, memoryview():
                name, text = _pair(value)
                texts[name] = text
    if graph is None:
        raise OnnxError("the file holds no graph")
    nodes: list[Node] = []
    constants: dict[str, Array] = {}
    for number, value in _fields(graph, {1: _BYTES, 2: _BYTES, 5: _BYTES, 11: _BYTES, 12: _BYTES}):
        match number, value:
            case 1, memoryview():
                nodes.append(_node(value))
            case 5, memoryview():
                name, array = _tensor(value)
                constants[name] = array
    return Graph(tuple(nodes), constants, texts)


def _fields(data: memoryview, allowed: Mapping[int, int]) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: number and value, of the allowed numbers and wire types only."""
    at = 0
    for _ in range(_MAX_FIELDS):
        if at == len(data):
            return
        key, at = _varint(data, at)
        number, wire_type = key >> 3, key & 7
        if allowed.get(number) != wire_type:
            raise OnnxError(f"a field {number} of type {wire_type} is not known in an ONNX form")
        value, at = _varint(data, at)
        if wire_type == _VARINT:
            yield number, value
            continue
        if value > len(data) - at:
            raise OnnxError("the file ends within a field")
        yield number, data[at : at + value]
        at += value
    raise OnnxError(f"a message of more than {_MAX_FIELDS} fields")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """An unsigned integer of at most 63 bits, and where the next field begins."""
    value = 0
    for shift in range(0, 63, 7):
        if at >= len(data):
            raise OnnxError("the file ends within a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise OnnxError("a negative number, or one that is too large")


def _node(data: memoryview) -> Node:
    inputs: list[str] = []
    outputs: list[str] = []
    operator, domain = "", ""
    attributes: dict[str, Attribute] = {}
    for number, value in _fields(data, {1: _BYTES, 2: _BYTES, 3: _BYTES, 4: _BYTES, 5: _BYTES, 7: _BYTES}):
        assert isinstance(value, memoryview)
        match number:
            case 1:
                inputs.append(_text(value))
            case 2:
                outputs.append(_text(value))
            case 4:
                operator = _text(value)
            case 5:
                name, attribute = _attribute(value)
                if name in attributes:
                    raise OnnxError(f"the attribute {name[:40]} is there twice")
                attributes[name] = attribute
            case 7:
                domain = _text(value)
    return Node(f"{domain}.{operator}" if domain else operator, tuple(inputs), tuple(outputs), attributes)


def _attribute(data: memoryview) -> tuple[str, Attribute]:
    """An attribute: an integer, integers, or a tensor. The integers lie between name and type, in one run."""
    key, at = _varint(data, 0)
    size, at = _varint(data, at)
    if key != 1 << 3 | _BYTES or size > len(data) - at:
        raise OnnxError("an attribute without a name")
    name = _text(data[at : at + size])
    integers, length = _integers(np.frombuffer(data[at + size :], dtype=np.uint8))
    values: dict[int, int | memoryview] = dict(
        _fields(data[at + size + length :], {3: _VARINT, 5: _BYTES, 20: _VARINT})
    )
    match values.pop(20, None), values:
        case 2, {3: int(single)} if len(values) == 1 and not len(integers):
            return name, single
        case 4, {5: memoryview() as tensor} if len(values) == 1 and not len(integers):
            return name, _tensor(tensor)[1]
        case 7, _ if not values:
            return name, integers
        case _:
            raise OnnxError(f"the attribute {name[:40]} is of a kind that is not known in an ONNX form")


_INTEGERS_KEY = 8 << 3 | _VARINT
_INTEGER_BYTES = 5
"""Numbers of nodes and features take at most 32 bits."""


def _integers(data: NDArray[np.uint8]) -> tuple[NDArray[np.int64], int]:
    """The run of integers that `data` begins with, and its length in bytes.

    Each is the key's byte and a number whose last byte is the only one below 128: so of all such bytes each second one
    ends a number, as long as the run goes on.
    """
    if not len(data) or data[0] != _INTEGERS_KEY:
        return np.zeros(0, dtype=np.int64), 0
    ends = np.flatnonzero(data < 0x80)
    ends = ends[: len(ends) // 2 * 2]
    keys, last = ends[0::2], ends[1::2]
    begin = np.concatenate([[0], last[:-1] + 1])[: len(keys)]
    belongs = (keys == begin) & (data[keys] == _INTEGERS_KEY) & (last - keys <= _INTEGER_BYTES)
    count = len(belongs) if belongs.all() else int(belongs.argmin())
    keys, last = keys[:count], last[:count]
    values = np.zeros(count, dtype=np.int64)
    for index in range(_INTEGER_BYTES):
        at = keys + 1 + index
        there = at <= last
        values[there] |= (data[at[there]].astype(np.int64) & 0x7F) << (7 * index)
    return values, int(last[-1]) + 1 if count else 0


def _tensor(data: memoryview) -> tuple[str, Array]:
    shape: list[int] = []
    dtype: np.dtype[np.generic] | None = None
    name, raw = "", memoryview(b"")
    for number, value in _fields(data, {1: _VARINT, 2: _VARINT, 8: _BYTES, 9: _BYTES}):
        match number, value:
            case 1, int():
                shape.append(value)
            case 2, int():
                dtype = _DTYPES.get(value)
            case 8, memoryview():
                name = _text(value)
            case 9, memoryview():
                raw = value
    if dtype is None:
        raise OnnxError(f"the tensor {name[:40]} has elements of a type that is not known in an ONNX form")
    count = 1
    for size in shape:
        count *= size
    if not raw or count * dtype.itemsize != len(raw):
        raise OnnxError(f"the tensor {name[:40]} has {len(raw)} bytes, its shape says {count * dtype.itemsize}")
    return name, np.frombuffer(raw, dtype=dtype).reshape(shape)


def _pair(data: memoryview) -> tuple[str, str]:
    name, text = "", ""
    for number, value in _fields(data, {1: _BYTES, 2: _BYTES}):
        assert isinstance(value, memoryview)
        if number == 1:
            name = _text(value)
        else:
            text = _text(value)
    return name, text


def _text(data: memoryview) -> str:
    try:
        return bytes(data).decode("utf-8")
    except UnicodeDecodeError:
        raise OnnxError("a name that is no UTF-8") from None

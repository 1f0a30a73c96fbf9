"""Arrow columns as tensors of the Open Inference Protocol, and tensors as Arrow columns.

Values go as binary data, so that a number is the same bits there and back; a column with missing values goes as JSON,
which has a null, but for numbers, whose missing value is NaN.
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelwright_contract.canonical import Json
from modelwright_contract.features import Input
from modelwright_contract.vectors import Array
from modelwright_worker.failures import Told
from modelwright_worker.model_server import Reply

_LENGTH = struct.Struct("<I")
_DATATYPES = {"number": "FP64", "integer": "INT64", "boolean": "BOOL", "string": "BYTES", "timestamp": "BYTES"}
_DTYPES: dict[str, np.dtype[np.generic]] = {"FP64": np.dtype("<f8"), "INT64": np.dtype("<i8"), "BOOL": np.dtype("u1")}
_NO_CLASS = "a label is none of the model's classes"
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says of some rows: labels or values, and the probabilities of its classes where it has them."""

    predictions: pa.Array
    probabilities: Array | None

    @classmethod
    def joined(cls, parts: Sequence[Answer]) -> Answer:
        """Several answers of one model, one after the other."""
        numbers = [part.probabilities for part in parts if part.probabilities is not None]
        predictions = pa.concat_arrays([part.predictions for part in parts])
        return cls(predictions, np.concatenate(numbers) if numbers else None)


def request_of(batch: pa.RecordBatch, inputs: Iterable[Input]) -> tuple[bytes, bytes]:
    """The document and the binary data of a request about these rows."""
    documents: list[Json] = []
    data: list[bytes] = []
    for item in inputs:
        column, kind = batch.column(item.name), item.type
        head: dict[str, Json] = {"name": item.name, "datatype": _DATATYPES[kind], "shape": [batch.num_rows]}
        if kind == "timestamp":
            column = pc.strftime(column, format=_MOMENT)
        if column.null_count and kind != "number":
            documents.append({**head, "data": column.to_pylist()})
            continue
        content = _texts(column) if head["datatype"] == "BYTES" else _numbers(column, str(head["datatype"]))
        documents.append({**head, "parameters": {"binary_data_size": len(content)}})
        data.append(content)
    document: Json = {"inputs": documents, "parameters": {"binary_data_output": True}}
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode(), b"".join(data)


def answer_of(reply: Reply, rows: int, classes: Sequence[str | int | bool] | None) -> Answer:
    """What a reply says of so many rows. Raises Told: ModelServerFailed, where the model's manifest says otherwise."""
    outputs = reply.document.get("outputs")
    found: dict[str, tuple[Mapping[str, Json], memoryview]] = {}
    data = reply.data
    for output in outputs if isinstance(outputs, list) else ():
        size = _size(output)
        if not isinstance(output, dict) or size is None or size > len(data):
            raise _wrong("an output has no binary data")
        found[str(output.get("name"))] = output, data[:size]
        data = data[size:]
    if classes is None:
        return Answer(pa.array(_values(found, "prediction", "FP64", (rows,))), None)
    probabilities = None
    if "probability" in found:
        probabilities = _values(found, "probability", "FP64", (rows, len(classes)))
    return Answer(_labels(found, rows, classes), probabilities)


def most_bytes(rows: int, classes: Sequence[str | int | bool] | None) -> int:
    """The binary data that an answer to so many rows may have at most."""
    if classes is None:
        return 8 * rows
    longest = max((len(str(value).encode()) for value in classes), default=0)
    return rows * (8 * len(classes) + _LENGTH.size + max(8, longest))


def label_type(classes: Sequence[str | int | bool] | None) -> pa.DataType:
    """The type of the predictions' column."""
    if classes is None:
        return pa.float64()
    first = classes[0] if classes else ""
    return pa.bool_() if isinstance(first, bool) else pa.int64() if isinstance(first, int) else pa.string()


def _numbers(column: pa.Array, datatype: str) -> bytes:
    values: Array = column.to_numpy(zero_copy_only=False)
    return values.astype(_DTYPES[datatype], copy=False).tobytes()


def _texts(column: pa.Array) -> bytes:
    texts = [text.encode() for text in column.to_pylist()]
    return b"".join([_LENGTH.pack(len(text)) + text for text in texts])


def _size(output: Json) -> int | None:
    parameters = output.get("parameters") if isinstance(output, dict) else None
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    return size if type(size) is int and size >= 0 else None


def _values(
    found: Mapping[str, tuple[Mapping[str, Json], memoryview]], name: str, datatype: str, shape: tuple[int, ...]
) -> Array:
    """One output of numbers, as it must be."""
    if name not in found:
        raise _wrong(f'there is no output "{name}"')
    output, data = found[name]
    dtype = _DTYPES[datatype]
    if output.get("datatype") != datatype or output.get("shape") != list(shape):
        raise _wrong(f'output "{name}" is no {datatype} of shape {list(shape)}')
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise _wrong(f'output "{name}" has {len(data)} bytes')
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def _labels(
    found: Mapping[str, tuple[Mapping[str, Json], memoryview]], rows: int, classes: Sequence[str | int | bool]
) -> pa.Array:
    """The label of each row: one of the model's classes, and nothing else."""
    kind = label_type(classes)
    if kind == pa.string():
        output, data = found.get("label", ({}, memoryview(b"")))
        if output.get("datatype") != "BYTES" or output.get("shape") != [rows]:
            raise _wrong(f'output "label" is no BYTES of shape {[rows]}')
        known = {str(value).encode(): str(value) for value in classes}
        labels = [known.get(text) for text in _split(data, rows)]
        if None in labels:
            raise _wrong(_NO_CLASS)
        return pa.array(labels, kind)
    values = _values(found, "label", "BOOL" if kind == pa.bool_() else "INT64", (rows,))
    if not np.isin(values, np.array([int(value) for value in classes])).all():
        raise _wrong(_NO_CLASS)
    return pa.array(values.astype(np.bool_)) if kind == pa.bool_() else pa.array(values)


def _split(data: memoryview, rows: int) -> list[bytes]:
    """The values of a BYTES tensor."""
    texts: list[bytes] = []
    at = 0
    while len(texts) < rows and at + _LENGTH.size <= len(data):
        begin = at + _LENGTH.size
        at = begin + _LENGTH.unpack_from(data, at)[0]
        if at > len(data):
            break
        texts.append(bytes(data[begin:at]))
    if len(texts) != rows or at != len(data):
        raise _wrong('output "label" has not as many values as rows')
    return texts


def _wrong(detail: str) -> Told:
    message = f"the model's server answers otherwise than the model's manifest says: {detail}"
    return Told("ModelServerFailed", message, retry=False)

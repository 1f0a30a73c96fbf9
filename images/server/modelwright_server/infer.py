"""Reads inference requests of the Open Inference Protocol v2 over REST, with Triton's binary tensor data.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

import numpy as np

from modelwright_contract.vectors import quoted
from modelwright_server.answers import HEADER_LENGTH, Answers, Wanted
from modelwright_server.binary_tensors import tensor_of_bytes
from modelwright_server.feature_matrix import FeatureMatrix
from modelwright_server.http_message import Request, Response
from modelwright_server.json_tensors import TYPECODES, has_booleans, named_input, tensor_of
from modelwright_server.packing import NotPackable, packed, packer
from modelwright_server.prediction import Matrix, Prediction
from modelwright_server.problems import Problem
from modelwright_server.request_body import TENSOR_TYPES, media_type_of, parse_json
from modelwright_server.tensor_inputs import matrix_of, takes_matrix
from modelwright_server.tensors import MATRIX_INPUT, Tensor, check_datatype, check_shape, label_of
from modelwright_server.work import Work

Encode: TypeAlias = Callable[[Prediction], Response]

NOT_DONE_HERE = ("shared_memory_region", "classification")
"""Parameters that change what an answer means or where data lies. Others that aren't known are ignored."""

_LENGTH_DIGITS = 18
_PLAIN_KEYS = 4


class InferDecoder:
    """The decoder of one model's infer route."""

    def __init__(self, matrix: FeatureMatrix, answers: Answers) -> None:
        self._matrix = matrix
        self._answers = answers
        self._width = len(matrix.features)
        self._takes_matrix = MATRIX_INPUT not in matrix.columns
        self._encode_row = answers.all_tensors_of_row

    def __call__(self, request: Request) -> Work[Response]:
        """Raises Problem that names input, row and column."""
        headers, body = request.head.headers, request.body
        media_type_of(headers, TENSOR_TYPES)
        data: memoryview | None = None
        if HEADER_LENGTH in headers:
            body, data = _split(body, headers[HEADER_LENGTH])
        document = parse_json(body)
        inputs = document.get("inputs") if isinstance(document, dict) else None
        if not isinstance(document, dict) or not isinstance(inputs, list) or not inputs:
            raise Problem('the body must be an object with "inputs": [{"name", "shape", "datatype", "data"}, …]')
        encode = self._answers.all_tensors if len(document) == 1 else self._encoder(document)
        matrix = self._plain_matrix(inputs[0], body) if len(inputs) == 1 and data is None else None
        if matrix is None:
            matrix = matrix_of(self._tensors(inputs, body, data), self._matrix)
        rows = len(matrix)
        return Work(rows, matrix, encode, self._encode_row if rows == 1 and len(document) == 1 else None)

    def _plain_matrix(self, document: object, body: bytes) -> Matrix | None:
        """The model's own matrix sent as flat numbers, all of it as it should be; None where a closer look is needed.

        This is what most requests are, and what their time is measured by.
        """
        if not isinstance(document, dict) or len(document) != _PLAIN_KEYS or not self._takes_matrix:
            return None
        try:
            rows, width = document["shape"]
            datatype, data = document["datatype"], document["data"]
            if (
                document["name"] != MATRIX_INPUT
                or type(rows) is not int
                or type(width) is not int
                or not 0 < rows <= self._matrix.max_rows
                or width != self._width
                or type(data) is not list
                or len(data) != rows * width
                or has_booleans(body)
            ):
                return None
            if datatype == "FP64":
                matrix = np.empty((rows, self._width))
                packer("d", len(data)).pack_into(matrix.data, 0, *data)
                return matrix
            numbers = packed(TYPECODES[datatype], data)
        except (KeyError, TypeError, ValueError, OverflowError, NotPackable):
            return None
        if datatype == "FP32" and not np.isfinite(numbers).all():
            return None
        return numbers.astype(np.float64).reshape(rows, self._width)

    def _tensors(self, inputs: list[object], body: bytes, data: memoryview | None) -> list[Tensor]:
        """The inputs of any request, each looked at closely. Raises Problem."""
        named = [named_input(position, item) for position, item in enumerate(inputs)]
        own = takes_matrix([name for name, _ in named], self._matrix)
        columns = self._matrix.features if own else ()
        booleans = has_booleans(body)
        tensors = []
        rest = data
        for name, document in named:
            size = _binary_size(name, document)
            if size is None:
                tensors.append(tensor_of(name, document, booleans=booleans, columns=columns))
                continue
            if rest is None:
                raise Problem(f"{label_of(name)}: binary data needs the header Inference-Header-Content-Length", 400)
            if size > len(rest):
                raise Problem(
                    f"{label_of(name)}: binary_data_size is {size}, but only {len(rest)} bytes are left in the body",
                    400,
                )
            tensors.append(_binary_tensor(name, document, rest[:size]))
            rest = rest[size:]
        if rest:
            raise Problem(f"{len(rest)} bytes at the body's end belong to no input; check each binary_data_size", 400)
        return tensors

    def _encoder(self, document: Mapping[str, object]) -> Encode:
        """What writes the answer in the form that the request asks for. Raises Problem."""
        parameters = _parameters("the request", document)
        request_id = document.get("id")
        if request_id is not None and not isinstance(request_id, str):
            raise Problem(f"id: {quoted(request_id)} is no text")
        binary = _flag("the request", parameters, "binary_data_output", default=False)
        outputs = document.get("outputs")
        if outputs is None or outputs == []:
            wanted = [Wanted(name, binary) for name in self._answers.names]
        else:
            wanted = self._wanted(outputs, binary=binary)
        return partial(self._answers.tensors, wanted=wanted, request_id=request_id)

    def _wanted(self, outputs: object, *, binary: bool) -> list[Wanted]:
        if not isinstance(outputs, list):
            raise Problem('outputs: must be a list of objects such as {"name": "label"}')
        known = self._answers.names
        wanted: dict[str, Wanted] = {}
        for position, item in enumerate(outputs):
            name = item.get("name") if isinstance(item, dict) else None
            if name not in known:
                raise Problem(
                    f"outputs[{position}].name: {quoted(name)} is no output of this model; it has {', '.join(known)}"
                )
            if name in wanted:
                raise Problem(f'outputs[{position}].name: "{name}" is there twice')
            label = f'output "{name}"'
            wanted[name] = Wanted(name, _flag(label, _parameters(label, item), "binary_data", default=binary))
        return list(wanted.values())


def _split(body: bytes, length: bytes) -> tuple[bytes, memoryview]:
    """The JSON of a request with binary data, and the data."""
    size = int(length) if length.isdigit() and len(length) <= _LENGTH_DIGITS else None
    if size is None or size > len(body):
        said = length.decode("latin-1")[:64]
        raise Problem(f"Inference-Header-Content-Length is {said}, must be 0 to {len(body)}, the body's size", 400)
    return body[:size], memoryview(body)[size:]


def _parameters(label: str, document: Mapping[str, object]) -> Mapping[str, object]:
    parameters = document.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise Problem(f"{label}: parameters is {quoted(parameters)}, must be an object")
    for name in NOT_DONE_HERE:
        if name in parameters:
            raise Problem(f"{label}: the parameter {name} is not supported by this server", 501)
    return parameters


def _flag(label: str, parameters: Mapping[str, object], name: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise Problem(f"{label}: {name} is {quoted(value)}, must be true or false")
    return value


def _binary_size(name: str, document: Mapping[str, object]) -> int | None:
    """How many bytes of binary data belong to an input; None where its data is JSON."""
    if "parameters" not in document:
        return None
    size = _parameters(label_of(name), document).get("binary_data_size")
    if size is None:
        return None
    if type(size) is not int or size < 0:
        raise Problem(f"{label_of(name)}: binary_data_size is {quoted(size)}, must be a whole number of bytes", 400)
    if "data" in document:
        raise Problem(f'{label_of(name)}: has both "data" and binary_data_size; send one of them')
    return size


def _binary_tensor(name: str, document: Mapping[str, object], data: memoryview) -> Tensor:
    datatype = check_datatype(name, document.get("datatype"))
    return tensor_of_bytes(name, datatype, check_shape(name, document.get("shape")), data)

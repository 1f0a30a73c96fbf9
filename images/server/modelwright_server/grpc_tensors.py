"""Inference requests over gRPC: from messages to the model's matrix, and from predictions to messages.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_grpc.md
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
from google.protobuf.message import DecodeError

from modelwright_contract.vectors import Array, quoted
from modelwright_server.binary_tensors import tensor_of_bytes
from modelwright_server.feature_matrix import FeatureMatrix
from modelwright_server.grpc_answers import CONTENTS, GrpcAnswers
from modelwright_server.http_message import Response
from modelwright_server.infer import NOT_DONE_HERE
from modelwright_server.inference_proto.open_inference_pb2 import ModelInferRequest
from modelwright_server.prediction import Matrix
from modelwright_server.problems import Problem
from modelwright_server.tensor_inputs import matrix_of, takes_matrix
from modelwright_server.tensors import (
    DTYPES,
    MATRIX_INPUT,
    Tensor,
    check_datatype,
    check_shape,
    check_size,
    label_of,
    place,
)
from modelwright_server.work import Work

_MATRIX_DATATYPES: dict[str, np.dtype[np.floating]] = {"FP64": np.dtype("<f8"), "FP32": np.dtype("<f4")}
_DIMENSIONS = 2


class GrpcDecoder:
    """Reads the inference requests of one model."""

    def __init__(self, name: str, version: str, matrix: FeatureMatrix, answers: GrpcAnswers) -> None:
        self._name = name
        self._version = version
        self._matrix = matrix
        self._answers = answers
        self._width = len(matrix.features)
        self._takes_matrix = MATRIX_INPUT not in matrix.columns

    def __call__(self, message: bytes) -> Work[Response]:
        """Raises Problem that names input, row and column. May be called on any thread."""
        try:
            request = ModelInferRequest.FromString(message)
        except DecodeError:
            raise Problem("the message is no inference.ModelInferRequest", 400) from None
        self.check_model(request.model_name, request.model_version)
        _check_parameters("the request", request.parameters)
        inputs, raw = request.inputs, request.raw_input_contents
        if not inputs:
            raise Problem("the request has no inputs; send at least one tensor")
        matrix = self._plain_matrix(inputs[0], raw[0]) if len(raw) == 1 == len(inputs) else None
        if matrix is None:
            takes_matrix([tensor.name for tensor in inputs], self._matrix)
            matrix = matrix_of(_raw_tensors(inputs, raw) if raw else list(map(_typed_tensor, inputs)), self._matrix)
        wanted = self._wanted(request.outputs) if request.outputs else self._answers.names
        write = self._answers.raw if raw else self._answers.typed
        return Work(len(matrix), matrix, partial(write, wanted=wanted, request_id=request.id))

    def serves(self, name: str, version: str) -> bool:
        """Whether this is the model; no version is any version."""
        return name == self._name and version in ("", self._version)

    def check_model(self, name: str, version: str) -> None:
        """Raises Problem 404 unless this is the model."""
        if not self.serves(name, version):
            asked = f"{quoted(name)}, version {quoted(version)}" if version else quoted(name)
            raise Problem(
                f'there is no model {asked}; this server has model "{self._name}", version "{self._version}"', 404
            )

    def _plain_matrix(self, tensor: ModelInferRequest.InferInputTensor, data: bytes) -> Matrix | None:
        """The model's own matrix, all of it as it should be; None where a closer look is needed.

        This is what most requests are, and what their time is measured by.
        """
        dtype, shape = _MATRIX_DATATYPES.get(tensor.datatype), tensor.shape
        if (
            dtype is None
            or tensor.name != MATRIX_INPUT
            or not self._takes_matrix
            or len(shape) != _DIMENSIONS
            or shape[1] != self._width
            or not 0 < shape[0] <= self._matrix.max_rows
            or len(data) != shape[0] * self._width * dtype.itemsize
            or tensor.parameters
            or tensor.HasField("contents")
        ):
            return None
        # A copy: writable, which the bytes of a request are not.
        return np.frombuffer(data, dtype).astype(np.float64).reshape(-1, self._width)

    def _wanted(self, outputs: Sequence[ModelInferRequest.InferRequestedOutputTensor]) -> tuple[str, ...]:
        known = self._answers.names
        wanted: dict[str, None] = {}
        for position, output in enumerate(outputs):
            name = output.name
            if name not in known:
                raise Problem(
                    f"outputs[{position}].name: {quoted(name)} is no output of this model; it has {', '.join(known)}"
                )
            if name in wanted:
                raise Problem(f'outputs[{position}].name: "{name}" is there twice')
            _check_parameters(f'output "{name}"', output.parameters)
            wanted[name] = None
        return tuple(wanted)


def _raw_tensors(inputs: Sequence[ModelInferRequest.InferInputTensor], raw: Sequence[bytes]) -> list[Tensor]:
    if len(raw) != len(inputs):
        raise Problem(
            f"raw_input_contents has {len(raw)} parts, must have one for each of the {len(inputs)} inputs", 400
        )
    tensors = []
    for tensor, data in zip(inputs, raw, strict=True):
        datatype, shape = _form_of(tensor)
        if tensor.HasField("contents"):
            raise Problem(f"{label_of(tensor.name)}: has both contents and raw_input_contents; send one of them")
        tensors.append(tensor_of_bytes(tensor.name, datatype, shape, data))
    return tensors


def _typed_tensor(tensor: ModelInferRequest.InferInputTensor) -> Tensor:
    """An input whose values are in its contents. Raises Problem naming the input and the row."""
    name, (datatype, shape) = tensor.name, _form_of(tensor)
    field = CONTENTS.get(datatype)
    if field is None:
        raise Problem(f"{label_of(name)}: {datatype} has no field in contents; send all inputs in raw_input_contents")
    for other, _ in tensor.contents.ListFields():
        if other.name != field:
            raise Problem(
                f"{label_of(name)}: the values of {datatype} belong into contents.{field}, not contents.{other.name}"
            )
    found = list(getattr(tensor.contents, field))
    check_size(name, shape, len(found))
    values = _texts(name, shape, found) if datatype == "BYTES" else _numbers(name, datatype, shape, found)
    return Tensor(name, datatype, shape, values)


def _form_of(tensor: ModelInferRequest.InferInputTensor) -> tuple[str, list[int]]:
    """An input's datatype and shape, if they are sound. Raises Problem."""
    _check_parameters(label_of(tensor.name), tensor.parameters)
    return check_datatype(tensor.name, tensor.datatype), check_shape(tensor.name, list(tensor.shape))


def _numbers(name: str, datatype: str, shape: Sequence[int], found: list[int] | list[float]) -> Array:
    dtype = DTYPES[datatype]
    values = np.array(found, dtype=dtype if dtype.kind in "fb" or dtype.itemsize >= _OWN_FIELD_BYTES else np.int64)
    if values.dtype == dtype:
        return values
    narrow = values.astype(dtype)
    if (narrow != values).any():
        index = int((narrow != values).argmax())
        raise Problem(f"{place(name, shape, index)}: {found[index]} is out of {datatype}'s range")
    return narrow


_OWN_FIELD_BYTES = 4
"""Smaller integers are sent in a field whose values may be larger."""


def _texts(name: str, shape: Sequence[int], found: Iterable[bytes]) -> list[object]:
    texts: list[object] = []
    for index, value in enumerate(found):
        try:
            texts.append(value.decode("utf-8"))
        except UnicodeDecodeError:
            raise Problem(f"{place(name, shape, index)}: the value is no UTF-8") from None
    return texts


def _check_parameters(label: str, parameters: Iterable[str]) -> None:
    for name in parameters:
        if name in NOT_DONE_HERE:
            raise Problem(f"{label}: the parameter {name} is not supported by this server", 501)

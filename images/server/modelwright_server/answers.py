"""Predictions as response bodies: tensors of the Open Inference Protocol v2, one object a row, KServe v1.

What is the same in each answer is rendered once. NaN and infinity, which JSON doesn't have, become null.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import orjson

from modelwright_contract.manifests import TensorSpec
from modelwright_contract.vectors import Array
from modelwright_server.binary_tensors import bytes_of, bytes_of_texts
from modelwright_server.http_message import JSON, Response
from modelwright_server.prediction import Class, Prediction
from modelwright_server.tensors import DTYPES

OCTETS = b"application/octet-stream"
HEADER_LENGTH = b"inference-header-content-length"
LABEL, PROBABILITY, PREDICTION = "label", "probability", "prediction"
_NUMPY = orjson.OPT_SERIALIZE_NUMPY
_DATA = b'"data":'
_FEW_CLASSES = 256
"""With more classes what is the same in each answer is not rendered for each of them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An output that a request asks for, and whether as binary data."""

    name: str
    binary: bool = False


class Answers:
    """Encodes the predictions of one model."""

    def __init__(self, name: str, version: str, outputs: Sequence[TensorSpec], classes: Sequence[Class]) -> None:
        """`outputs` are the model's, in the order of its signature."""
        self._head = orjson.dumps({"model_name": name, "model_version": version})[:-1] + b","
        self._outputs = {output.name: _Output(output, classes) for output in outputs}
        self._all = [Wanted(output.name) for output in outputs]
        self._labels = [orjson.dumps(value) for value in classes]
        self._has_probabilities = PROBABILITY in self._outputs
        self._one_row: list[bytes] = []
        if self.names in ((LABEL,), (LABEL, PROBABILITY)) and len(classes) <= _FEW_CLASSES:
            self._one_row = [self._begin_of_one_row(label) for label in range(len(classes))]
        self._row = _row_template(classes, has_probabilities=self._has_probabilities)

    @property
    def names(self) -> tuple[str, ...]:
        """The outputs that the model has."""
        return tuple(self._outputs)

    def all_tensors(self, prediction: Prediction) -> Response:
        """An infer answer in the default form: every output, as JSON, without an id."""
        labels, probabilities = prediction.labels, prediction.probabilities
        if labels is None or len(labels) != 1 or not self._one_row:
            return self.tensors(prediction, self._all, None)
        if self._has_probabilities and probabilities is not None:
            return self._row_tensors(labels.item(), probabilities.tolist()[0])
        return Response(200, self._one_row[labels.item()], JSON, (), 1)

    @property
    def all_tensors_of_row(self) -> Callable[[int, list[float]], Response] | None:
        """What `all_tensors` does for one row, from its label and its probabilities, where the model has both."""
        return self._row_tensors if self._one_row and self._has_probabilities else None

    def _row_tensors(self, label: int, probabilities: list[float]) -> Response:
        return Response(200, b"%b%b}]}" % (self._one_row[label], orjson.dumps(probabilities)), JSON, (), 1)

    def tensors(self, prediction: Prediction, wanted: Sequence[Wanted], request_id: str | None) -> Response:
        """An infer answer; with binary data where an output is wanted so."""
        documents, data = [], []
        for output in wanted:
            if output.binary:
                content = self._outputs[output.name].binary(prediction)
                documents.append(self._outputs[output.name].binary_document(prediction, len(content)))
                data.append(content)
            else:
                documents.append(self._outputs[output.name].document(prediction))
        identity = b"" if request_id is None else b'"id":%b,' % orjson.dumps(request_id)
        body = b'%b%b"outputs":[%b]}' % (self._head, identity, b",".join(documents))
        rows = _rows(prediction)
        if not data:
            return Response(200, body, JSON, (), rows)
        return Response(200, body + b"".join(data), OCTETS, ((HEADER_LENGTH, b"%d" % len(body)),), rows)

    def binary(self, name: str, prediction: Prediction) -> bytes:
        """The values of one output as binary data."""
        return self._outputs[name].binary(prediction)

    def objects(self, prediction: Prediction) -> Response:
        """A predict answer: one object a row, in the order of the request."""
        rows, labels = _rows(prediction), prediction.labels
        numbers = prediction.values
        if labels is not None:
            numbers = prediction.probabilities if self._has_probabilities else None
        columns: list[list[bytes]] = [] if labels is None else [[self._labels[label] for label in labels.tolist()]]
        if numbers is not None:
            width = numbers.size // rows
            flat = _json_numbers(numbers)[1:-1].split(b",")
            columns += [flat[column::width] for column in range(width)]
        values: list[bytes] = [b""] * (rows * len(columns))
        for column, texts in enumerate(columns):
            values[column :: len(columns)] = texts
        objects = b",".join([self._row] * rows) % tuple(values)
        return Response(200, b'%b"predictions":[%b]}' % (self._head, objects), JSON, (), rows)

    def values(self, prediction: Prediction) -> Response:
        """A KServe v1 answer: the label or the value of each row."""
        output = self._outputs[PREDICTION if prediction.labels is None else LABEL]
        return Response(200, b'{"predictions":%b}' % output.json(prediction), JSON, (), _rows(prediction))

    def _begin_of_one_row(self, label: int) -> bytes:
        """An answer for one row with this label, up to its probabilities."""
        example = Prediction(np.array([label]), np.zeros((1, len(self._labels))))
        body = self.tensors(example, self._all, None).body
        return b"".join(body.rpartition(_DATA)[:2]) if self._has_probabilities else body


class _Output:
    """One output tensor, with the parts of it that never change."""

    def __init__(self, output: TensorSpec, classes: Sequence[Class]) -> None:
        self._name = output.name
        self._datatype = output.datatype
        self._begin = orjson.dumps({"name": output.name, "datatype": output.datatype})[:-1] + b',"shape":'
        self._labels = [orjson.dumps(value) for value in classes]
        self._binary_labels = [_binary_label(output, value) for value in classes if output.name == LABEL]

    def json(self, prediction: Prediction) -> bytes:
        """The data as a JSON list."""
        values = self._values(prediction)
        if self._name != LABEL:
            return _json_numbers(values)
        labels = self._labels
        return b"[%b]" % b",".join([labels[label] for label in values.tolist()])

    def binary(self, prediction: Prediction) -> bytes:
        """The data as bytes."""
        values = self._values(prediction)
        if self._name != LABEL:
            return bytes_of(self._datatype, values)
        labels = self._binary_labels
        return b"".join([labels[label] for label in values.tolist()])

    def document(self, prediction: Prediction) -> bytes:
        """The tensor as JSON."""
        return b'%b%b,"data":%b}' % (self._begin, self._shape(prediction), self.json(prediction))

    def binary_document(self, prediction: Prediction, size: int) -> bytes:
        """The tensor as JSON, but for its data, which are `size` bytes elsewhere."""
        return b'%b%b,"parameters":{"binary_data_size":%d}}' % (self._begin, self._shape(prediction), size)

    def _values(self, prediction: Prediction) -> Array:
        values: Array | None
        match self._name:
            case "label":
                values = prediction.labels
            case "probability":
                values = prediction.probabilities
            case _:
                values = prediction.values
        assert values is not None, "the golden rows had this output"
        return values

    def _shape(self, prediction: Prediction) -> bytes:
        return orjson.dumps(self._values(prediction).shape)


def class_name(value: Class) -> str:
    """A class as a name in the probabilities of a predict answer."""
    return ("True" if value else "False") if isinstance(value, bool) else str(value)


def _row_template(classes: Sequence[Class], *, has_probabilities: bool) -> bytes:
    """One object of a predict answer, with %b for each of its values."""
    if not classes:
        return b'{"prediction":%b}'
    if not has_probabilities:
        return b'{"label":%b}'
    names = [orjson.dumps(class_name(value)).replace(b"%", b"%%") for value in classes]
    return b'{"label":%%b,"probabilities":{%b}}' % b",".join([name + b":%b" for name in names])


def _json_numbers(values: Array) -> bytes:
    return orjson.dumps(values.reshape(-1), option=_NUMPY)


def _rows(prediction: Prediction) -> int:
    values = prediction.values if prediction.labels is None else prediction.labels
    return 0 if values is None else len(values)


def _binary_label(output: TensorSpec, value: Class) -> bytes:
    if output.datatype in DTYPES:
        return bytes_of(output.datatype, np.array([value]))
    return bytes_of_texts([class_name(value).encode("utf-8")])

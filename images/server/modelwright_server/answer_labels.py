"""What an answer to a prediction says of each row, read from its body: whether it can be read, and its labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import orjson

from modelwright_server.answers import HEADER_LENGTH, LABEL, PREDICTION
from modelwright_server.binary_tensors import tensor_of_bytes
from modelwright_server.problems import Problem

TOLERANCE = 1e-3
"""Relative; two values of a regression that differ by less agree."""

_LENGTH_DIGITS = 18


class AnswerUnreadable(Exception):
    """It is no answer to the request; the text says why."""


def labels_of(route: str, headers: Mapping[bytes, bytes], body: bytes, rows: int) -> Sequence[object] | None:
    """The label, or the value, of each of so many rows; None where the request asked for other outputs only.

    `route` is infer, predict or v1. Raises AnswerUnreadable unless the answer has its route's form and all rows.
    """
    length = headers.get(HEADER_LENGTH)
    data = memoryview(b"")
    if length is not None:
        if not length.isdigit() or len(length) > _LENGTH_DIGITS or int(length) > len(body):
            raise AnswerUnreadable("its header's length is wrong")
        body, data = body[: int(length)], memoryview(body)[int(length) :]
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise AnswerUnreadable(f"its body is no JSON: {problem}") from None
    if not isinstance(document, dict):
        raise AnswerUnreadable("its body is no object")
    if route == "infer":
        return _of_tensors(document.get("outputs"), data, rows)
    predictions = document.get("predictions")
    if not isinstance(predictions, list) or len(predictions) != rows:
        raise AnswerUnreadable(f"its predictions are not {rows}")
    return predictions if route == "v1" else [_of_object(prediction) for prediction in predictions]


def agree(one: object, other: object, *, regression: bool) -> bool:
    """Whether both say the same of a row: the same label, or values within TOLERANCE."""
    if regression and isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=TOLERANCE)
    return type(one) is type(other) and one == other


def _of_object(prediction: object) -> object:
    if isinstance(prediction, dict):
        for name in (LABEL, PREDICTION):
            if name in prediction:
                return prediction[name]
    raise AnswerUnreadable("a prediction has neither label nor value")


def _of_tensors(outputs: object, data: memoryview, rows: int) -> Sequence[object] | None:
    if not isinstance(outputs, list) or not outputs:
        raise AnswerUnreadable("it has no outputs")
    labels: Sequence[object] | None = None
    for output in outputs:
        if not isinstance(output, dict):
            raise AnswerUnreadable("an output is no object")
        shape = _shape(output, rows)
        values, data = _values(output, shape, data)
        if output.get("name") in (LABEL, PREDICTION):
            labels = values
    if data:
        raise AnswerUnreadable("it has more binary data than its outputs take")
    return labels


def _shape(output: Mapping[str, object], rows: int) -> Sequence[int]:
    shape = output.get("shape")
    if not isinstance(shape, list) or not shape or any(type(size) is not int or size < 0 for size in shape):
        raise AnswerUnreadable("an output has no shape")
    if shape[0] != rows:
        raise AnswerUnreadable(f"an output has {shape[0]} rows, the request {rows}")
    return shape


def _values(
    output: Mapping[str, object], shape: Sequence[int], data: memoryview
) -> tuple[Sequence[object], memoryview]:
    """An output's values, and the binary data that is left for those after it."""
    parameters = output.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is None:
        values = output.get("data")
        if not isinstance(values, list) or len(values) != math.prod(shape):
            raise AnswerUnreadable("an output's data don't fit its shape")
        return values, data
    if type(size) is not int or not 0 <= size <= len(data):
        raise AnswerUnreadable("an output's binary data are cut off")
    datatype = output.get("datatype")
    try:
        # Raises KeyError for a datatype that there is not.
        tensor = tensor_of_bytes(str(output.get("name")), str(datatype), shape, data[:size])
    except (Problem, KeyError):
        raise AnswerUnreadable("an output's binary data don't fit its shape") from None
    listed = tensor.values.tolist() if isinstance(tensor.values, np.ndarray) else tensor.values
    return listed, data[size:]

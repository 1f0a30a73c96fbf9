"""From the input tensors of one request to the model's matrix."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from modelwright_contract.vectors import ColumnError, ValueType, raw_vector
from modelwright_server.feature_matrix import FeatureMatrix, RawColumn
from modelwright_server.prediction import Matrix
from modelwright_server.problems import Problem
from modelwright_server.tensors import ACCEPTED, MATRIX_INPUT, NUMBERS, Tensor, label_of

_NAMED = 8
_KINDS: dict[ValueType, str] = {"number": "fiu", "integer": "i", "boolean": "b"}
"""Arrays that are a raw column of the type as they stand, by their kind (`numpy.dtype.kind`)."""


def takes_matrix(names: Sequence[str], matrix: FeatureMatrix) -> bool:
    """Whether inputs of these names are the model's own matrix. Raises Problem when they don't fit the model."""
    columns = matrix.columns
    if len(names) == 1 and names[0] == MATRIX_INPUT and MATRIX_INPUT not in columns:
        return True
    if len(names) == len(columns) and columns.keys() == set(names):
        return False
    raise _unfit(names, columns, matrix)


def matrix_of(tensors: Sequence[Tensor], matrix: FeatureMatrix) -> Matrix:
    """The matrix of a request whose inputs' names passed `takes_matrix`. Raises Problem naming input, row, column."""
    if len(tensors) == 1 and tensors[0].name == MATRIX_INPUT and MATRIX_INPUT not in matrix.columns:
        return _own_matrix(tensors[0], matrix)
    first = tensors[0]
    for tensor in tensors:
        shape = tensor.shape
        if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
            raise Problem(f"{label_of(tensor.name)}: shape is {list(shape)}, must be [rows] or [rows, 1]")
        if shape[0] != first.shape[0]:
            raise Problem(
                f'input "{first.name}" has {first.shape[0]} rows and input "{tensor.name}" has {shape[0]}; '
                f"they must agree"
            )
    matrix.check_rows(first.shape[0])
    return matrix.of_columns({tensor.name: _column(tensor, matrix.columns[tensor.name]) for tensor in tensors})


def _own_matrix(tensor: Tensor, matrix: FeatureMatrix) -> Matrix:
    width = len(matrix.features)
    shape = tensor.shape
    if tensor.datatype not in NUMBERS:
        raise Problem(f"{label_of(tensor.name)}: datatype is {tensor.datatype}, must be {_either(NUMBERS)}")
    if len(shape) != 2 or shape[1] != width:
        raise Problem(
            f"{label_of(tensor.name)}: shape is {list(shape)}, must be [rows, {width}]; "
            f"the model's features are {matrix.named_features()}"
        )
    matrix.check_rows(shape[0])
    return np.asarray(tensor.values, dtype=np.float64).reshape(shape[0], width)


def _column(tensor: Tensor, kind: ValueType) -> RawColumn:
    """The tensor's values as a raw column of the type."""
    if tensor.datatype not in ACCEPTED[kind]:
        raise Problem(
            f"{label_of(tensor.name)}: datatype is {tensor.datatype}, must be {_either(ACCEPTED[kind])} "
            f"because the column is of type {kind}"
        )
    values = tensor.values
    if isinstance(values, np.ndarray):
        if values.dtype.kind in _KINDS.get(kind, ""):
            return values
        values = values.tolist()
    if kind == "boolean":
        values = [bool(value) if value in (0, 1) else value for value in values]
    try:
        return raw_vector(tensor.name, kind, values)
    except ColumnError as problem:
        raise Problem(str(problem)) from problem


def _unfit(names: Sequence[str], columns: Collection[str], matrix: FeatureMatrix) -> Problem:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return Problem(f"{label_of(name)} is there twice")
        seen.add(name)
    parts = [f"{label_of(name)} is missing" for name in columns if name not in seen][:_NAMED]
    parts += [f"{label_of(name)} is unknown" for name in names if name not in columns][:_NAMED]
    return Problem(
        f"{'; '.join(parts)}; send one tensor for each of {matrix.named_columns()}, "
        f'or the model\'s own matrix as the one tensor "{MATRIX_INPUT}"'
    )


def _either(datatypes: Sequence[str]) -> str:
    return " or ".join(datatypes)

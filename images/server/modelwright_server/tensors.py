"""Tensors of the Open Inference Protocol v2 in JSON: flat or nested data, one named tensor a column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from modelwright_contract.vectors import ColumnError, ValueType, Vector, quoted, raw_vector
from modelwright_server.problems import Problem

FLOATS = frozenset({"FP64", "FP32"})
INTEGERS = {
    f"{prefix}{bits}": (low, high)
    for bits in (8, 16, 32, 64)
    for prefix, low, high in (("INT", -(2 ** (bits - 1)), 2 ** (bits - 1) - 1), ("UINT", 0, 2**bits - 1))
}
_ACCEPTED: dict[ValueType, frozenset[str]] = {
    "number": FLOATS | INTEGERS.keys(),
    "integer": FLOATS | INTEGERS.keys(),
    "boolean": frozenset({"BOOL", *INTEGERS}),
    "string": frozenset({"BYTES"}),
    "timestamp": frozenset({"BYTES"}),
}
DATATYPES = frozenset({*FLOATS, *INTEGERS, "BOOL", "BYTES"})
_JSON_TYPES: dict[str, frozenset[type]] = {
    "BOOL": frozenset({bool, type(None)}),
    "BYTES": frozenset({str, type(None)}),
    "FP": frozenset({int, float, type(None)}),
    "INT": frozenset({int, type(None)}),
}


class Tensor:
    """One input tensor of a request, its parts checked for their form and its data flat."""

    def __init__(self, position: int, document: object) -> None:
        """Raises Problem that names the tensor and the part of it that is wrong."""
        if not isinstance(document, dict):
            raise Problem(f'inputs[{position}]: must be an object with "name", "shape", "datatype" and "data"')
        name, datatype, shape, data = (document.get(key) for key in ("name", "datatype", "shape", "data"))
        if not isinstance(name, str) or not name:
            raise Problem(f'inputs[{position}].name: must be a string, such as "features"')
        self.name = name
        self.label = f'input "{name[:64]}"'
        if not isinstance(datatype, str) or datatype not in DATATYPES:
            raise Problem(
                f"{self.label}: datatype is {quoted(datatype)}, must be one of {', '.join(sorted(DATATYPES))}"
            )
        self.datatype = datatype
        if not isinstance(shape, list) or not 1 <= len(shape) <= 8 or not all(type(n) is int and n >= 0 for n in shape):
            raise Problem(f"{self.label}: shape is {quoted(shape)}, must be a list of whole numbers such as [2, 3]")
        self.shape: list[int] = shape
        if not isinstance(data, list):
            raise Problem(f'{self.label}: "data" must be a list')
        self.data = _flattened(self.label, data, len(shape))
        expected = math.prod(shape)
        if len(self.data) != expected:
            raise Problem(f"{self.label}: data has {len(self.data)} values, shape {shape} asks for {expected}")
        self._check_values()

    def column(self, column_type: ValueType) -> Vector:
        """The tensor as one raw column; its shape must be [n] or [n, 1]. Raises Problem naming row and column."""
        if len(self.shape) > 2 or (len(self.shape) == 2 and self.shape[1] != 1):
            raise Problem(f"{self.label}: shape is {self.shape}, must be [rows] or [rows, 1]")
        accepted = _ACCEPTED[column_type]
        if self.datatype not in accepted:
            raise Problem(
                f"{self.label}: datatype is {self.datatype}, must be {' or '.join(sorted(accepted))} "
                f"because the column is of type {column_type}"
            )
        data: Sequence[object] = self.data
        if self.datatype == "FP32":
            data = self._floats().tolist()
        elif column_type == "boolean" and self.datatype != "BOOL":
            data = [bool(value) if value in (0, 1) else value for value in self.data]
        try:
            return raw_vector(self.name, column_type, data)
        except ColumnError as problem:
            raise Problem(str(problem)) from problem

    def matrix(self, features: Sequence[str]) -> NDArray[np.float64]:
        """The tensor as the model's own matrix [rows, features], null as NaN. Raises Problem."""
        if self.datatype not in FLOATS:
            raise Problem(f"{self.label}: datatype is {self.datatype}, must be FP64 or FP32")
        if len(self.shape) != 2 or self.shape[1] != len(features):
            raise Problem(
                f"{self.label}: shape is {self.shape}, must be [rows, {len(features)}]; the model's features are "
                f"{', '.join(features[:32])}{', …' if len(features) > 32 else ''}"
            )
        return self._floats().reshape(self.shape)

    def _floats(self) -> NDArray[np.float64]:
        """The values as float64, null as NaN, an FP32 tensor's rounded to what FP32 can hold."""
        values = np.array(self.data, dtype=np.float64)
        if self.datatype == "FP64":
            return values
        with np.errstate(over="ignore"):
            rounded = values.astype(np.float32).astype(np.float64)
        if np.isinf(rounded).any():
            at = int(np.isinf(rounded).argmax())
            raise Problem(f"{self.label}, value {at + 1}: {self.data[at]} is out of FP32's range")
        return rounded

    def _check_values(self) -> None:
        bounds = INTEGERS.get(self.datatype)
        kind = "INT" if bounds is not None else "FP" if self.datatype in FLOATS else self.datatype
        expected = _JSON_TYPES[kind]
        if not expected.issuperset(map(type, self.data)):
            row = next(row for row, value in enumerate(self.data) if type(value) not in expected)
            raise Problem(f"{self.label}, value {row + 1}: {quoted(self.data[row])} is no {self.datatype}")
        if bounds is not None:
            low, high = bounds
            for row, value in enumerate(self.data):
                if isinstance(value, int) and not low <= value <= high:
                    raise Problem(f"{self.label}, value {row + 1}: {value} is out of {self.datatype}'s range")


def _flattened(label: str, data: list[object], depth: int) -> list[object]:
    """Row-major values of `data`, which is flat or nested as deep as the shape is long."""
    if list not in set(map(type, data)):
        return data
    for _ in range(depth - 1):
        parts = [part for part in data if isinstance(part, list)]
        if len(parts) != len(data):
            raise Problem(f"{label}: data is neither flat nor nested as its shape says")
        data = [value for part in parts for value in part]
    return data


def columns_of(tensors: Mapping[str, Tensor], columns: Mapping[str, ValueType]) -> dict[str, Vector]:
    """One vector a raw column. Raises Problem naming what is missing, too much, or of another length."""
    missing = [name for name in columns if name not in tensors]
    unknown = [name for name in tensors if name not in columns]
    if missing or unknown:
        parts = [f'input "{name}" is missing' for name in missing[:8]]
        parts += [f'input "{name[:64]}" is unknown' for name in unknown[:8]]
        raise Problem(
            f"{'; '.join(parts)}; send one tensor for each of {', '.join(columns)}, "
            f'or the model\'s own matrix as the one tensor "features"'
        )
    vectors = {name: tensors[name].column(column_type) for name, column_type in columns.items()}
    lengths = {name: len(vector) for name, vector in vectors.items()}
    if len(set(lengths.values())) > 1:
        first, rows = next(iter(lengths.items()))
        other = next(name for name, length in lengths.items() if length != rows)
        raise Problem(f'input "{first}" has {rows} rows and input "{other}" has {lengths[other]}; they must agree')
    return vectors

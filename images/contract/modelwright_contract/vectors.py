"""Typed columns with missing values: what expressions and features are computed on.

A `Vector` is a NumPy array, its type, and a mask of missing rows. The server imports it: NumPy and the standard library
only.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

ValueType = Literal["string", "integer", "number", "boolean", "timestamp"]
VALUE_TYPES: tuple[ValueType, ...] = get_args(ValueType)

Array: TypeAlias = NDArray[Any]
"""An array whose dtype follows from the ValueType beside it, which NumPy's types can't express."""

Mask: TypeAlias = NDArray[np.bool_]

DTYPES: dict[ValueType, type] = {
    "string": object,
    "integer": np.int64,
    "number": np.float64,
    "boolean": np.bool_,
    "timestamp": np.int64,
}
FILLERS: dict[ValueType, str | int | float | bool] = {
    "string": "",
    "integer": 0,
    "number": math.nan,
    "boolean": False,
    "timestamp": 0,
}
ARTICLED: dict[ValueType, str] = {
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "timestamp": "a timestamp as ISO 8601 text",
}

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_BRIEFLY = reprlib.Repr()
"""Lists and objects of clients may be deep and long: a message shows their beginning."""
_BRIEFLY.maxlevel, _BRIEFLY.maxlist, _BRIEFLY.maxdict, _BRIEFLY.maxstring = 3, 8, 8, 40
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class ColumnError(ValueError):
    """A value that doesn't fit its column; the message names row (from 1) and column."""

    def __init__(self, message: str, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row
        """Index of the row from 0, or None when the whole column is wrong."""


@dataclass(frozen=True, slots=True)
class Vector:
    """One column. `missing` is None when no row is missing; missing rows hold the type's filler.

    Timestamps are microseconds since 1970-01-01T00:00:00Z. A number is finite, or missing.
    An array of length 1 stands for any number of rows.
    """

    type: ValueType
    values: Array
    missing: Mask | None

    def __len__(self) -> int:
        return len(self.values)

    def broadcast(self, rows: int) -> Vector:
        """The same column with `rows` rows, when it stood for any number of them."""
        if len(self.values) == rows:
            return self
        missing = None if self.missing is None else np.broadcast_to(self.missing, (rows,))
        return Vector(self.type, np.broadcast_to(self.values, (rows,)), missing)

    def as_float(self) -> NDArray[np.float64]:
        """Values as float64 with NaN where missing; timestamps as seconds since 1970. Not for strings."""
        values: NDArray[np.float64] = self.values.astype(np.float64)
        if self.type == "timestamp":
            values /= 1e6
        if self.missing is not None:
            values[np.broadcast_to(self.missing, values.shape)] = np.nan
        return values

    def to_list(self) -> list[str | int | float | bool | None]:
        """Python values, None where missing; timestamps as microseconds."""
        values: list[str | int | float | bool | None] = self.values.tolist()
        if self.missing is not None:
            for row in np.flatnonzero(self.missing):
                values[row] = None
        return values


def number(values: Array, missing: Mask | None = None) -> Vector:
    """A number column; what isn't finite becomes missing."""
    values = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(values)
    if missing is not None:
        finite = finite & ~missing
    if finite.all():
        return Vector("number", values, None)
    return Vector("number", np.where(finite, values, np.nan), ~finite)


def vector(kind: ValueType, values: Array, missing: Mask | None) -> Vector:
    """A column of any type, with fillers put where rows are missing."""
    if kind == "number":
        return number(values, missing)
    if missing is None or not missing.any():
        return Vector(kind, values, None)
    shape = np.broadcast_shapes(values.shape, missing.shape)
    values, missing = np.array(np.broadcast_to(values, shape), dtype=DTYPES[kind]), np.broadcast_to(missing, shape)
    values[missing] = FILLERS[kind]
    return Vector(kind, values, missing)


def either_missing(*masks: Mask | None) -> Mask | None:
    """Missing where any operand is."""
    out: Mask | None = None
    for mask in masks:
        if mask is not None:
            out = mask if out is None else out | mask
    return out


def parse_timestamp(text: str) -> int:
    """Microseconds since 1970 of an ISO 8601 date or date-time; without an offset it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // MICROSECOND


def quoted(value: object) -> str:
    """A value as a message shows it: JSON's spelling, at most 40 characters."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return '"' + (value if len(value) <= 40 else value[:37] + "...") + '"'
    text = _BRIEFLY.repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def raw_vector(name: str, kind: ValueType, values: Sequence[object]) -> Vector:
    """A column from Python values as JSON gives them; None is missing.

    Types are exact: an integer may be written as 3.0, a number as 3, and nothing else is converted.
    Raises ColumnError naming the first row that doesn't fit.
    """
    kinds = set(map(type, values))
    try:
        if kind == "number" and kinds <= {int, float, type(None)}:
            return number(np.array(values, dtype=np.float64))
        if kinds == {_PLAIN.get(kind)}:
            out: Array = np.empty(len(values), dtype=DTYPES[kind])
            out[:] = values
            return Vector(kind, out, None)
    except OverflowError:
        pass  # one value is too large: it is found below
    return _checked(name, kind, values, _CONVERSIONS[kind])


def _checked(name: str, kind: ValueType, values: Sequence[object], convert: Callable[[object], object]) -> Vector:
    out: Array = np.empty(len(values), dtype=DTYPES[kind])
    missing = np.zeros(len(values), dtype=np.bool_)
    filler = FILLERS[kind]
    for row, value in enumerate(values):
        if value is None or (type(value) is float and math.isnan(value)):
            missing[row] = True
            out[row] = filler
            continue
        try:
            out[row] = convert(value)
        except (ValueError, TypeError, OverflowError):
            raise ColumnError(
                f'row {row + 1}, column "{name}": expected {ARTICLED[kind]}, got {quoted(value)}', row
            ) from None
    return vector(kind, out, missing)


def _number(value: object) -> float:
    if type(value) is int or type(value) is float:
        return float(value)
    raise TypeError


def _integer(value: object) -> int:
    # As a float, -2**63 is what readers of JSON make of integers below it.
    if type(value) is float and value.is_integer() and value > INT64_MIN:
        value = int(value)
    if type(value) is int and INT64_MIN <= value <= INT64_MAX:
        return value
    raise TypeError


def _boolean(value: object) -> bool:
    if type(value) is bool:
        return value
    raise TypeError


def _string(value: object) -> str:
    if type(value) is str:
        return value
    raise TypeError


def _timestamp(value: object) -> int:
    if type(value) is str:
        return parse_timestamp(value)
    raise TypeError


_PLAIN: dict[ValueType, type] = {"integer": int, "boolean": bool, "string": str}
"""Types whose columns need no look at single values when every value has the type."""

_CONVERSIONS: dict[ValueType, Callable[[object], object]] = {
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "string": _string,
    "timestamp": _timestamp,
}

"""Tensors of the Open Inference Protocol v2 as values: their datatypes, their shapes, and where a value stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modelwright_contract.vectors import Array, ValueType, quoted
from modelwright_server.problems import Problem

DTYPES: dict[str, np.dtype[np.generic]] = {
    name: np.dtype(code)
    for name, code in {
        "BOOL": "?",
        "INT8": "i1",
        "INT16": "<i2",
        "INT32": "<i4",
        "INT64": "<i8",
        "UINT8": "u1",
        "UINT16": "<u2",
        "UINT32": "<u4",
        "UINT64": "<u8",
        "FP16": "<f2",
        "FP32": "<f4",
        "FP64": "<f8",
    }.items()
}
"""How a value of each datatype lies in memory; BYTES has no fixed size and is not among them."""

DATATYPES = (*DTYPES, "BYTES")
FLOATS = ("FP16", "FP32", "FP64")
INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
NUMBERS = (*FLOATS, *INTEGERS)

MATRIX_INPUT = "features"
"""The input that is the model's own matrix [rows, features] and skips the feature contract."""

MAX_DIMENSIONS = 8
MAX_NAME = 256
"""Characters of a client's name that a message repeats."""

ACCEPTED: dict[ValueType, Sequence[str]] = {
    "number": NUMBERS,
    "integer": NUMBERS,
    "boolean": ("BOOL", *INTEGERS),
    "string": ("BYTES",),
    "timestamp": ("BYTES",),
}
"""The datatypes that a raw column of each type may be sent as."""


class Tensor(NamedTuple):
    """One input of a request, sound in itself: as many values as the shape asks for, each of the datatype.

    `values` is flat and row-major: an array that holds values of the datatype; or a list of Python values for BYTES
    (texts), and where None stands for a missing value.
    """

    name: str
    datatype: str
    shape: Sequence[int]
    values: Array | list[object]


def label_of(name: str) -> str:
    """How a message names an input."""
    return f'input "{name[:MAX_NAME]}"'


def check_datatype(name: str, datatype: object) -> str:
    """The datatype, if it is one. Raises Problem."""
    if isinstance(datatype, str) and (datatype in DTYPES or datatype == "BYTES"):
        return datatype
    raise Problem(f"{label_of(name)}: datatype is {quoted(datatype)}, must be one of {', '.join(DATATYPES)}")


def check_shape(name: str, shape: object) -> list[int]:
    """The shape, if it is one; nothing is allocated for it. Raises Problem."""
    if isinstance(shape, list) and 1 <= len(shape) <= MAX_DIMENSIONS:
        for size in shape:
            if type(size) is not int or size < 0:
                break
        else:
            return shape
    raise Problem(
        f"{label_of(name)}: shape is {quoted(shape)}, must be a list of 1 to {MAX_DIMENSIONS} whole numbers "
        f"such as [2, 3]"
    )


def check_size(name: str, shape: Sequence[int], values: int) -> None:
    """Raises Problem unless the shape asks for so many values."""
    asked = math.prod(shape)
    if asked != values:
        raise Problem(f"{label_of(name)}: data has {values} values, shape {quoted(list(shape))} asks for {asked}")


def place(name: str, shape: Sequence[int], index: int, columns: Sequence[str] = ()) -> str:
    """Where the value at a flat index stands, counted from 1; `columns` names the second dimension's places."""
    width = math.prod(shape[1:])
    row, rest = divmod(index, width)
    if width == 1:
        return f"{label_of(name)}, row {row + 1}"
    named = len(shape) == 2 and len(columns) == width
    return f"{label_of(name)}, row {row + 1}, column " + (f'"{columns[rest]}"' if named else str(rest + 1))

"""Input tensors as JSON: `{"name", "shape", "datatype", "data"}` with flat or nested data.

What is well formed is read without a look at single values: packing refuses everything but numbers, except true and
false, so a caller who knows that the body has neither says so. What it refuses is looked at value by value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TypeAlias, cast

import numpy as np

from modelwright_contract.vectors import Array, quoted
from modelwright_server.packing import NotPackable, packed
from modelwright_server.problems import Problem
from modelwright_server.tensors import (
    DTYPES,
    FLOATS,
    INTEGERS,
    Tensor,
    check_datatype,
    check_shape,
    check_size,
    label_of,
    place,
)

TYPECODES = {
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}
"""How `struct` and NumPy name each datatype's values."""

_Numbers: TypeAlias = list[float]
_JSON_TYPES: dict[str, frozenset[type]] = {
    "BOOL": frozenset({bool, type(None)}),
    "BYTES": frozenset({str, type(None)}),
    **dict.fromkeys(FLOATS, frozenset({int, float, type(None)})),
    **dict.fromkeys(INTEGERS, frozenset({int, type(None)})),
}


def has_booleans(body: bytes) -> bool:
    """Whether true or false stands anywhere in a JSON document, be it in a text."""
    # Both end with an e, and numbers rarely have one: what must be searched is short when they come last.
    end = body.rfind(b"e") + 1
    return body.find(b"true", 0, end) >= 0 or body.find(b"false", 0, end) >= 0


def named_input(position: int, document: object) -> tuple[str, Mapping[str, object]]:
    """The name of an input, and the input. Raises Problem."""
    if not isinstance(document, dict):
        raise Problem(f'inputs[{position}]: must be an object with "name", "shape", "datatype" and "data"')
    name = document.get("name")
    if not isinstance(name, str) or not name:
        raise Problem(f'inputs[{position}].name: must be a text, such as "features"')
    return name, document


def tensor_of(name: str, document: Mapping[str, object], *, booleans: bool, columns: Sequence[str] = ()) -> Tensor:
    """An input whose data is JSON; `booleans` is `has_booleans` of the body, `columns` are names for messages.

    Raises Problem naming the input and the place in it that is wrong.
    """
    datatype = check_datatype(name, document.get("datatype"))
    shape = check_shape(name, document.get("shape"))
    data = document.get("data")
    if not isinstance(data, list):
        raise Problem(f'{label_of(name)}: "data" must be a list')
    if data and type(data[0]) is list:
        data = _flat(name, shape, data)
    check_size(name, shape, len(data))
    plain = None if booleans else _plain(datatype, data)
    return Tensor(name, datatype, shape, _checked(name, datatype, shape, data, columns) if plain is None else plain)


def _plain(datatype: str, data: list[object]) -> Array | None:
    """Numbers that all fit the datatype, as a flat array; None where a closer look is needed (also for other types).

    true and false are not noticed.
    """
    code = TYPECODES.get(datatype)
    if code is None:
        return None
    try:
        values = packed(code, cast(_Numbers, data))
    except (NotPackable, OverflowError):
        return None
    if datatype == "FP32" and not np.isfinite(values).all():
        return None
    return values


def _flat(name: str, shape: Sequence[int], data: list[object]) -> list[object]:
    """Row-major values of data that is nested as deep as the shape is long."""
    for size in shape[1:]:
        parts = [part for part in data if isinstance(part, list)]
        if len(parts) != len(data) or any(len(part) != size for part in parts):
            raise Problem(f"{label_of(name)}: data is neither flat nor nested as its shape {shape} says")
        data = list(chain.from_iterable(parts))
    return data


def _checked(
    name: str, datatype: str, shape: Sequence[int], data: list[object], columns: Sequence[str]
) -> Array | list[object]:
    """The same for any datatype, with None for missing values."""
    allowed = _JSON_TYPES[datatype]
    if not allowed.issuperset(map(type, data)):
        index = next(index for index, value in enumerate(data) if type(value) not in allowed)
        raise Problem(f"{place(name, shape, index, columns)}: {quoted(data[index])} is no {datatype}")
    if datatype in FLOATS:
        return _floats(name, datatype, shape, data, columns)
    if datatype in INTEGERS:
        bounds = np.iinfo(DTYPES[datatype].str)
        low, high = int(bounds.min), int(bounds.max)
        for index, value in enumerate(data):
            if isinstance(value, int) and not low <= value <= high:
                raise Problem(f"{place(name, shape, index, columns)}: {value} is out of {datatype}'s range")
    if datatype == "BYTES" or None in data:
        return data
    return np.array(data, dtype=DTYPES[datatype])


def _floats(name: str, datatype: str, shape: Sequence[int], data: list[object], columns: Sequence[str]) -> Array:
    """Numbers rounded to what the datatype can hold, NaN where None stands."""
    values = np.array(data, dtype=np.float64)
    with np.errstate(over="ignore"):
        rounded = values.astype(DTYPES[datatype])
    if np.isinf(rounded).any():
        index = int(np.isinf(rounded).argmax())
        raise Problem(f"{place(name, shape, index, columns)}: {data[index]} is out of {datatype}'s range")
    return rounded

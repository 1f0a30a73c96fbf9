"""Parts of timestamps (all in UTC), and conversion between types. What can't be converted is missing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from modelwright_contract.logic import missing_of
from modelwright_contract.text import objects
from modelwright_contract.vectors import (
    DTYPES,
    FILLERS,
    INT64_MAX,
    INT64_MIN,
    Array,
    ValueType,
    Vector,
    number,
    parse_timestamp,
    vector,
)

_DAY = 86_400_000_000
_TRUE = frozenset({"true", "t", "1", "yes", "y"})
_FALSE = frozenset({"false", "f", "0", "no", "n"})


def _months(values: Array) -> Array:
    return values.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)


def _day_of_month(values: Array) -> Array:
    moments = values.astype("datetime64[us]")
    days = moments.astype("datetime64[D]").astype(np.int64)
    first: Array = moments.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return np.asarray(days - first + 1)


PARTS: dict[str, Callable[[Array], Array]] = {
    "year": lambda v: _months(v) // 12 + 1970,
    "month": lambda v: _months(v) % 12 + 1,
    "day": _day_of_month,
    "hour": lambda v: v % _DAY // 3_600_000_000,
    "minute": lambda v: v % 3_600_000_000 // 60_000_000,
    "second": lambda v: v % 60_000_000 // 1_000_000,
    "dow": lambda v: (v // _DAY + 4) % 7,
}
"""Parts by name; `dow` is 0 on Sunday."""


def part(name: str) -> Callable[[Vector], Vector]:
    """The function that takes one part of a timestamp."""
    take = PARTS[name]

    def run(a: Vector) -> Vector:
        return vector("integer", take(a.values), a.missing)

    return run


def epoch(a: Vector) -> Vector:
    """Seconds since 1970-01-01T00:00:00Z."""
    return number(a.as_float())


def cast(a: Vector, to: ValueType) -> Vector:
    """Converted to a type; what can't be converted is missing. Which pairs exist is decided at compile time."""
    if a.type == to:
        return a
    if a.type == "string":
        return _from_text(a, to)
    match to:
        case "number":
            return number(a.as_float())
        case "integer":
            return _to_integer(a)
        case "boolean":
            return vector("boolean", a.values != 0, a.missing)
        case "string":
            texts = [str(v).lower() if a.type == "boolean" else str(v) for v in a.values.tolist()]
            return vector("string", objects(texts), a.missing)
        case _:
            raise AssertionError(f"no conversion from {a.type} to {to}")


def _to_integer(a: Vector) -> Vector:
    if a.type == "boolean":
        return vector("integer", a.values.astype(np.int64), a.missing)
    values = np.rint(a.values)
    fits = (values >= float(INT64_MIN)) & (values < float(2**63))
    return vector("integer", np.where(fits, values, 0).astype(np.int64), ~fits | missing_of(a))


def _from_text(a: Vector, to: ValueType) -> Vector:
    convert = {"number": _number, "integer": _integer, "boolean": _boolean, "timestamp": parse_timestamp}[to]
    out: Array = np.empty(len(a.values), dtype=DTYPES[to])
    missing = missing_of(a).copy()
    filler = FILLERS[to]
    for row, text in enumerate(a.values.tolist()):
        out[row] = filler
        if not missing[row]:
            try:
                out[row] = convert(text)
            except (ValueError, OverflowError):
                missing[row] = True
    return vector(to, out, missing)


def _plain(text: str) -> str:
    if "_" in text:
        raise ValueError
    return text.strip()


def _number(text: str) -> float:
    return float(_plain(text))


def _integer(text: str) -> int:
    text = _plain(text)
    try:
        value = int(text)
    except ValueError:
        real = float(text)
        value = int(real + (0.5 if real >= 0 else -0.5))
    if not INT64_MIN <= value <= INT64_MAX:
        raise ValueError
    return value


def _boolean(text: str) -> bool:
    text = text.strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError

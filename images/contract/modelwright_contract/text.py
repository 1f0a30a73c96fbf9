"""Text functions on vectors. Positions and lengths count code points; the first character is number 1."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from modelwright_contract.logic import missing_of
from modelwright_contract.vectors import Array, Vector, either_missing, vector


def objects(values: list[str]) -> Array:
    """Text in an array that holds Python strings."""
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _mapped(apply: Callable[[str], str]) -> Callable[[Vector], Vector]:
    def run(a: Vector) -> Vector:
        return vector("string", objects([apply(value) for value in a.values.tolist()]), a.missing)

    return run


def _strip(text: str) -> str:
    return text.strip(" ")


lower = _mapped(str.lower)
upper = _mapped(str.upper)
trim = _mapped(_strip)


def length(a: Vector) -> Vector:
    """The number of characters."""
    return vector("integer", np.fromiter(map(len, a.values.tolist()), dtype=np.int64, count=len(a.values)), a.missing)


def substring(a: Vector, start: int, count: int | None) -> Vector:
    """`count` characters from position `start`; a negative one counts from the end; without a count, all after it."""

    def cut(text: str) -> str:
        begin = start - 1 if start > 0 else (len(text) + start if start < 0 else -1)
        end = len(text) if count is None else begin + count
        return text[max(begin, 0) : max(end, 0)]

    return _mapped(cut)(a)


def concatenate(arguments: list[Vector]) -> Vector:
    """All texts joined; missing ones are passed over."""
    parts = np.broadcast_arrays(*(argument.values for argument in arguments))
    return vector("string", objects(["".join(row) for row in zip(*(p.tolist() for p in parts), strict=True)]), None)


def joined(a: Vector, b: Vector) -> Vector:
    """a || b: missing when either is."""
    missing = either_missing(a.missing, b.missing)
    out = concatenate([a, b])
    return vector("string", out.values, missing)


def like(a: Vector, pattern: str) -> Vector:
    """SQL LIKE: % stands for any text, _ for any one character."""
    parts = (".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    matches = re.compile("".join(parts), re.DOTALL).fullmatch
    hit = np.fromiter((matches(v) is not None for v in a.values.tolist()), dtype=np.bool_, count=len(a.values))
    return vector("boolean", hit, missing_of(a))

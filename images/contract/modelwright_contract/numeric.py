"""Arithmetic and mathematics on vectors. What has no value (x / 0, ln(0), an integer beyond 64 bits) is missing."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np

from modelwright_contract.vectors import INT64_MAX, INT64_MIN, Array, Mask, Vector, either_missing, number, vector

_SAFE = float(2**62)


def _integer_result(a: Vector, b: Vector, apply: Callable[[Array, Array], Array]) -> Vector:
    missing = either_missing(a.missing, b.missing)
    estimate = apply(a.values.astype(np.float64), b.values.astype(np.float64))
    if estimate.size == 0 or np.abs(estimate).max() < _SAFE:
        return vector("integer", apply(a.values, b.values), missing)
    exact = apply(a.values.astype(object), b.values.astype(object))
    beyond: Mask = (exact < INT64_MIN) | (exact > INT64_MAX)
    return vector(
        "integer", np.where(beyond, 0, exact).astype(np.int64), either_missing(missing, beyond.astype(np.bool_))
    )


def _arithmetic(apply: Callable[[Array, Array], Array]) -> Callable[[Vector, Vector], Vector]:
    def run(a: Vector, b: Vector) -> Vector:
        if a.type == "integer" and b.type == "integer":
            return _integer_result(a, b, apply)
        return number(apply(a.as_float(), b.as_float()))

    return run


add = _arithmetic(operator.add)
subtract = _arithmetic(operator.sub)
multiply = _arithmetic(operator.mul)


def divide(a: Vector, b: Vector) -> Vector:
    """Division in floating point, also of integers; by zero it is missing."""
    with np.errstate(all="ignore"):
        return number(a.as_float() / b.as_float())


def integer_divide(a: Vector, b: Vector) -> Vector:
    """Division of integers towards zero; by zero it is missing."""
    x, y = np.broadcast_arrays(a.values, b.values)
    undefined = (y == 0) | ((x == INT64_MIN) & (y == -1))
    y = np.where(undefined, 1, y)
    quotient = x // y
    quotient = quotient + ((x - quotient * y != 0) & ((x < 0) != (y < 0)))
    return vector("integer", quotient, either_missing(a.missing, b.missing, undefined))


def modulo(a: Vector, b: Vector) -> Vector:
    """The remainder, with the sign of the dividend; by zero it is missing."""
    if a.type == "integer" and b.type == "integer":
        undefined = (b.values == 0) | (b.values == -1)
        rest = np.fmod(a.values, np.where(undefined, 1, b.values))
        return vector("integer", rest, either_missing(a.missing, b.missing, b.values == 0))
    with np.errstate(all="ignore"):
        return number(np.fmod(a.as_float(), b.as_float()))


def negate(a: Vector) -> Vector:
    """Minus a."""
    if a.type == "integer":
        return subtract(Vector("integer", np.zeros(1, dtype=np.int64), None), a)
    return number(-a.as_float())


def absolute(a: Vector) -> Vector:
    """The absolute value."""
    if a.type == "integer":
        undefined = a.values == INT64_MIN
        return vector("integer", np.abs(a.values), either_missing(a.missing, undefined))
    return number(np.abs(a.as_float()))


def sign(a: Vector) -> Vector:
    """-1, 0 or 1."""
    values = np.sign(a.as_float())
    missing = np.isnan(values)
    return vector("integer", np.where(missing, 0, values).astype(np.int64), missing)


def _half_away(values: Array) -> Array:
    whole = np.floor(np.abs(values))
    out: Array = np.copysign(whole + (np.abs(values) - whole >= 0.5), values)
    return out


def rounded(a: Vector, digits: int) -> Vector:
    """Rounded to `digits` decimal places, halves away from zero."""
    if a.type == "integer":
        return a
    values = a.as_float()
    if digits == 0:
        return number(_half_away(values))
    scale = 10.0**digits
    with np.errstate(all="ignore"):
        out = _half_away(values * scale) / scale
    return number(np.where(np.isfinite(out), out, values))


def _keeps_integer(apply: Callable[[Array], Array]) -> Callable[[Vector], Vector]:
    def run(a: Vector) -> Vector:
        return a if a.type == "integer" else number(apply(a.as_float()))

    return run


floor = _keeps_integer(np.floor)
ceil = _keeps_integer(np.ceil)


def _mathematical(apply: Callable[[Array], Array]) -> Callable[[Vector], Vector]:
    def run(a: Vector) -> Vector:
        with np.errstate(all="ignore"):
            return number(apply(a.as_float()))

    return run


sqrt = _mathematical(np.sqrt)
ln = _mathematical(np.log)
log10 = _mathematical(np.log10)
exp = _mathematical(np.exp)


def power(a: Vector, b: Vector) -> Vector:
    """a to the power of b, in floating point."""
    with np.errstate(all="ignore"):
        # NaN to the power of 0 is 1 in floating point, but what is missing stays missing.
        return number(np.float_power(a.as_float(), b.as_float()), either_missing(a.missing, b.missing))


def _extreme(better: Callable[[Array, Array], Array]) -> Callable[[list[Vector]], Vector]:
    def run(arguments: list[Vector]) -> Vector:
        out = arguments[0]
        for other in arguments[1:]:
            x, y, p, q = np.broadcast_arrays(out.values, other.values, _mask(out), _mask(other))
            take = np.where(p, True, np.where(q, False, better(y, x)))
            out = vector(out.type, np.where(take, y, x), p & q)
        return out

    return run


def _mask(a: Vector) -> Mask:
    return np.zeros(1, dtype=np.bool_) if a.missing is None else a.missing


least = _extreme(np.less)
greatest = _extreme(np.greater)

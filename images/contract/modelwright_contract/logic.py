"""Comparison, three-valued logic and choice on vectors, as SQL has them: what is unknown stays missing."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np

from modelwright_contract.vectors import DTYPES, FILLERS, Array, Mask, ValueType, Vector, either_missing, vector


def _operands(a: Vector, b: Vector) -> tuple[Array, Array]:
    if a.type != b.type:
        return a.as_float(), b.as_float()
    return a.values, b.values


def _comparison(compare: Callable[[Array, Array], Array]) -> Callable[[Vector, Vector], Vector]:
    def run(a: Vector, b: Vector) -> Vector:
        x, y = _operands(a, b)
        return vector("boolean", np.asarray(compare(x, y), dtype=np.bool_), either_missing(a.missing, b.missing))

    return run


equal = _comparison(operator.eq)
unequal = _comparison(operator.ne)
less = _comparison(operator.lt)
less_or_equal = _comparison(operator.le)
greater = _comparison(operator.gt)
greater_or_equal = _comparison(operator.ge)


def missing_of(a: Vector) -> Mask:
    """The mask of a column, all False when nothing is missing."""
    return np.zeros(len(a.values), dtype=np.bool_) if a.missing is None else a.missing


def conjunction(a: Vector, b: Vector) -> Vector:
    """False when either is false, else missing when either is missing, else true."""
    missing = either_missing(a.missing, b.missing)
    if missing is None:
        return Vector("boolean", a.values & b.values, None)
    no = (~a.values & ~missing_of(a)) | (~b.values & ~missing_of(b))
    return vector("boolean", a.values & b.values, missing & ~no)


def disjunction(a: Vector, b: Vector) -> Vector:
    """True when either is true, else missing when either is missing, else false."""
    missing = either_missing(a.missing, b.missing)
    if missing is None:
        return Vector("boolean", a.values | b.values, None)
    yes = a.values | b.values
    return vector("boolean", yes, missing & ~yes)


def negation(a: Vector) -> Vector:
    """True for false, false for true, missing for missing."""
    return vector("boolean", ~a.values, a.missing)


def is_missing(a: Vector) -> Vector:
    """True where the value is missing; never missing itself."""
    return Vector("boolean", missing_of(a), None)


def _as(kind: ValueType, a: Vector) -> tuple[Array, Mask]:
    if a.type != kind and kind == "number":
        return a.as_float(), missing_of(a)
    return a.values, missing_of(a)


def choose(kind: ValueType, condition: Vector, yes: Vector, no: Vector) -> Vector:
    """`yes` where the condition is true, `no` where it is false or missing."""
    (y, y_missing), (n, n_missing) = _as(kind, yes), _as(kind, no)
    take = condition.values & ~missing_of(condition)
    missing = np.where(take, y_missing, n_missing)
    return vector(kind, np.where(take, y, n).astype(DTYPES[kind]), missing)


def coalesce(kind: ValueType, arguments: list[Vector]) -> Vector:
    """The first value that isn't missing."""
    out = arguments[-1]
    for other in reversed(arguments[:-1]):
        out = choose(kind, negation(is_missing(other)), other, out)
    return choose(kind, Vector("boolean", np.ones(1, dtype=np.bool_), None), out, out)


def null_if(a: Vector, b: Vector) -> Vector:
    """Missing where both are equal, else a."""
    same = equal(a, b)
    x, hit = np.broadcast_arrays(a.values, same.values & ~missing_of(same))
    return vector(a.type, x, hit | missing_of(a))


def member(a: Vector, choices: list[str | int | float | bool], any_null: bool) -> Vector:
    """Whether a is one of the choices; missing where a is, and, with a null among them, where nothing matches."""
    if a.type == "string":
        wanted = frozenset(choices)
        hit = np.fromiter((value in wanted for value in a.values.tolist()), dtype=np.bool_, count=len(a.values))
    else:
        hit = np.isin(a.values, np.array(choices)) if choices else np.zeros(len(a.values), dtype=np.bool_)
    unknown = either_missing(a.missing, ~hit if any_null else None)
    return vector("boolean", hit, unknown)


def nothing(kind: ValueType) -> Vector:
    """A missing value of a type."""
    return Vector(kind, np.array([FILLERS[kind]], dtype=DTYPES[kind]), np.ones(1, dtype=np.bool_))

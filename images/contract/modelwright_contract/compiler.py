"""How a tree becomes closures: a compilation knows the columns' types, remembers what it read, and bounds the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from modelwright_contract import logic, text
from modelwright_contract.canonical import Json
from modelwright_contract.vectors import DTYPES, ValueType, Vector

MAX_NODES = 1024
MAX_DEPTH = 64

Columns: TypeAlias = Mapping[str, Vector]
Evaluate: TypeAlias = Callable[[Columns], Vector]


class ExpressionError(ValueError):
    """An expression that can't be used; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Part:
    """A compiled node. Its type is None for a null literal, which fits any type."""

    type: ValueType | None
    run: Evaluate


Build: TypeAlias = Callable[["Compiler", Sequence[Json], Mapping[str, Json]], Part]


class Compiler:
    """One compilation: knows the columns' types, remembers what was read, and bounds the work."""

    def __init__(self, types: Mapping[str, ValueType], operations: Mapping[str, Build]) -> None:
        self._types = types
        self._operations = operations
        self._nodes = 0
        self._depth = 0
        self.read: set[str] = set()

    def compile(self, tree: Json) -> Part:
        """One node and all below it. Raises ExpressionError."""
        self._nodes += 1
        self._depth += 1
        if self._nodes > MAX_NODES or self._depth > MAX_DEPTH:
            raise ExpressionError(f"too large: at most {MAX_NODES} terms, nested at most {MAX_DEPTH} deep")
        try:
            return self._node(tree)
        finally:
            self._depth -= 1

    def _node(self, tree: Json) -> Part:
        match tree:
            case {"column": str(name)}:
                return self._column(name)
            case {"literal": value}:
                return literal(value)
            case {"op": str(op), "args": list(arguments) | tuple(arguments)} if op in self._operations:
                assert isinstance(tree, Mapping)
                return self._operations[op](self, arguments, tree)
            case _:
                raise ExpressionError(f"not a term of the feature contract: {str(tree)[:80]}")

    def _column(self, name: str) -> Part:
        kind = self._types.get(name)
        if kind is None:
            raise ExpressionError(f'there is no column "{name}"')
        self.read.add(name)
        return Part(kind, lambda columns: columns[name])


def literal(value: Json) -> Part:
    """A constant."""
    kind: ValueType
    match value:
        case None:
            return Part(None, lambda _: logic.nothing("number"))
        case bool():
            kind = "boolean"
        case int():
            kind = "integer"
        case float():
            kind = "number"
        case str():
            kind = "string"
        case _:
            raise ExpressionError(f"not a literal: {str(value)[:80]}")
    constant = constant_vector(kind, value)
    return Part(kind, lambda _: constant)


def constant_vector(kind: ValueType, value: str | float | bool) -> Vector:
    """A column of length 1 that stands for any number of rows."""
    if kind == "string":
        return Vector(kind, text.objects([str(value)]), None)
    try:
        return Vector(kind, np.array([value], dtype=DTYPES[kind]), None)
    except OverflowError:
        raise ExpressionError(f"{value} does not fit 64 bits") from None

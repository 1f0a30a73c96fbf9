"""Row-wise expressions: a JSON tree, checked for types and compiled once into NumPy closures over columns.

A node is `{"column": name}`, `{"literal": value}` or `{"op": name, "args": [node, …]}`; `cast` has `to` beside.
SQL text is made into such a tree by `modelwright_contract.parse`, which the server never imports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelwright_contract.canonical import Json
from modelwright_contract.compiler import Columns, Compiler, Evaluate, ExpressionError
from modelwright_contract.operations import OPERATIONS
from modelwright_contract.vectors import ValueType, Vector

__all__ = ["Expression", "ExpressionError", "columns_of", "compile_expression"]


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression: its type, the columns it reads, and how to compute it."""

    type: ValueType
    columns: frozenset[str]
    evaluate: Evaluate

    def over(self, columns: Columns, rows: int) -> Vector:
        """Its value for each of `rows` rows."""
        return self.evaluate(columns).broadcast(rows)


def compile_expression(tree: Json, types: Mapping[str, ValueType]) -> Expression:
    """Check a tree against the columns' types and compile it. Raises ExpressionError."""
    compiler = Compiler(types, OPERATIONS)
    part = compiler.compile(tree)
    if part.type is None:
        raise ExpressionError("the expression is null for every row")
    return Expression(part.type, frozenset(compiler.read), part.run)


def columns_of(tree: Json) -> frozenset[str]:
    """The names of the columns that a tree reads."""
    if not isinstance(tree, Mapping):
        return frozenset()
    column, arguments = tree.get("column"), tree.get("args")
    own = frozenset({column}) if isinstance(column, str) else frozenset()
    if isinstance(arguments, Sequence) and not isinstance(arguments, str):
        return own.union(*(columns_of(argument) for argument in arguments))
    return own

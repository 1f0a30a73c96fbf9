"""The feature contract: from raw columns to the matrix a model takes, the same way in training and in serving.

Matrix columns stand in the order of `features`. Numbers are as they are, booleans 0 and 1, timestamps seconds since
1970 and texts the position among the categories fitted on the train split; missing is NaN. Imports NumPy and the
standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from modelwright_contract.canonical import Json
from modelwright_contract.expressions import Expression, ExpressionError, columns_of, compile_expression
from modelwright_contract.moments import cast
from modelwright_contract.vectors import VALUE_TYPES, Array, ColumnError, ValueType, Vector, number, raw_vector, vector

MAX_CATEGORIES = 254
"""Categories kept of a text feature; with one code for the rest this fits scikit-learn's 255 bins."""

MAX_FEATURES = 4096


class ContractError(ValueError):
    """A contract document that can't be read."""


@dataclass(frozen=True, slots=True)
class Input:
    """A raw column: its name and type."""

    name: str
    type: ValueType


@dataclass(frozen=True, slots=True)
class Step:
    """A column computed row by row from raw columns."""

    name: str
    type: ValueType
    expression: Json


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be predicted: a raw column or, with `expression`, a computed one that reads `inputs`."""

    name: str
    type: ValueType
    inputs: tuple[Input, ...]
    expression: Json = None


@dataclass(frozen=True)
class FeatureContract:
    """A contract, compiled. Raises ContractError when its parts don't fit together."""

    inputs: tuple[Input, ...]
    steps: tuple[Step, ...]
    features: tuple[str, ...]
    target: Target | None
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _expressions: dict[str, tuple[Expression, ValueType]] = field(init=False, repr=False, compare=False)
    _codes: dict[str, dict[str, float]] = field(init=False, repr=False, compare=False)
    _types: dict[str, ValueType] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        raw: dict[str, ValueType] = {column.name: column.type for column in self.inputs}
        expressions = {
            step.name: (_compiled(step.name, step.expression, step.type, raw), step.type) for step in self.steps
        }
        types = {**raw, **{step.name: step.type for step in self.steps}}
        for name in self.features:
            if name not in types:
                raise ContractError(f'feature "{name}" is neither an input nor a step')
        codes = {
            name: {text: float(code) for code, text in enumerate(texts)} for name, texts in self.categories.items()
        }
        object.__setattr__(self, "_expressions", expressions)
        object.__setattr__(self, "_codes", codes)
        object.__setattr__(self, "_types", types)

    def matrix(self, columns: Mapping[str, Sequence[object] | Array]) -> NDArray[np.float64]:
        """Raw columns of equal length → float64 (rows, features). Columns that it doesn't read are passed over.

        Raises ColumnError: a column is lacking or of another length, or a value doesn't fit its column's type.
        """
        return self.features_of(self.vectors(columns))

    def vectors(self, columns: Mapping[str, Sequence[object] | Array]) -> dict[str, Vector]:
        """The inputs as typed columns. Raises ColumnError."""
        return read_inputs(self.inputs, columns)

    def features_of(self, columns: Mapping[str, Vector]) -> NDArray[np.float64]:
        """Typed columns → float64 (rows, features)."""
        rows = len(next(iter(columns.values()))) if columns else 0
        out = np.empty((rows, len(self.features)), dtype=np.float64)
        for index, name in enumerate(self.features):
            column = self.feature(name, columns)
            if column.type == "string":
                out[:, index] = self._encoded(name, column, rows)
            else:
                out[:, index] = column.as_float()
        return out

    def feature(self, name: str, columns: Mapping[str, Vector]) -> Vector:
        """One feature as a typed column, before texts are encoded."""
        computed = self._expressions.get(name)
        if computed is None:
            return columns[name]
        expression, kind = computed
        return cast(expression.evaluate(columns), kind)

    def type_of(self, name: str) -> ValueType:
        """The type of an input or a step."""
        return self._types[name]

    def _encoded(self, name: str, column: Vector, rows: int) -> NDArray[np.float64]:
        codes = self._codes.get(name, {})
        unknown = float(len(codes))
        values = column.values.tolist()
        if len(values) == 1 and rows != 1:
            values = values * rows
        out = np.fromiter((codes.get(value, unknown) for value in values), dtype=np.float64, count=rows)
        if column.missing is not None:
            out[np.broadcast_to(column.missing, (rows,))] = np.nan
        return out

    def target_of(self, columns: Mapping[str, Vector]) -> Vector:
        """The target of each row, from typed columns that hold what it reads. Raises ContractError without a target."""
        if self.target is None:
            raise ContractError("the dataset has no target")
        rows = len(next(iter(columns.values()))) if columns else 0
        if self.target.expression is None:
            return columns[self.target.name]
        types: dict[str, ValueType] = {column.name: column.type for column in self.target.inputs}
        expression = _compiled(self.target.name, self.target.expression, self.target.type, types)
        return cast(expression.over(columns, rows), self.target.type)

    def with_categories(self, categories: Mapping[str, tuple[str, ...]]) -> FeatureContract:
        """The same contract with fitted categories."""
        return FeatureContract(self.inputs, self.steps, self.features, self.target, dict(categories))

    def to_json(self) -> dict[str, Json]:
        """The document that lies in manifests."""
        target: Json = None
        if self.target is not None:
            target = {
                "name": self.target.name,
                "type": self.target.type,
                "inputs": [{"name": i.name, "type": i.type} for i in self.target.inputs],
                "expression": self.target.expression,
            }
        return {
            "version": 1,
            "inputs": [{"name": i.name, "type": i.type} for i in self.inputs],
            "steps": [{"name": s.name, "type": s.type, "expression": s.expression} for s in self.steps],
            "features": list(self.features),
            "target": target,
            "categories": {name: list(texts) for name, texts in self.categories.items()},
        }

    @staticmethod
    def from_json(document: Json) -> FeatureContract:
        """A contract from its document. Raises ContractError."""
        try:
            match document:
                case {
                    "version": 1,
                    "inputs": list(inputs),
                    "steps": list(steps),
                    "features": list(features),
                    "target": target,
                    "categories": dict(categories),
                } if len(features) <= MAX_FEATURES and len(inputs) <= MAX_FEATURES and len(steps) <= MAX_FEATURES:
                    return FeatureContract(
                        tuple(_input(item) for item in inputs),
                        tuple(_step(item) for item in steps),
                        tuple(_text(item) for item in features),
                        None if target is None else _target(target),
                        {_text(name): _texts(texts) for name, texts in categories.items()},
                    )
                case {"version": version} if version != 1:
                    raise ContractError(f"feature contract version {str(version)[:20]} is not known here: only 1 is")
                case _:
                    raise ContractError("not a feature contract")
        except ExpressionError as error:
            raise ContractError(str(error)) from None


def check_expression_type(name: str, expression: Expression, kind: ValueType) -> None:
    """Raises ExpressionError unless the expression gives the declared type; an integer may stand for a number."""
    if expression.type != kind and not (expression.type == "integer" and kind == "number"):
        raise ExpressionError(
            f'column "{name}" is declared {kind}, its expression gives {expression.type}: '
            f"declare type {expression.type}, or write cast(… as …)"
        )


def _compiled(name: str, tree: Json, kind: ValueType, types: Mapping[str, ValueType]) -> Expression:
    expression = compile_expression(tree, types)
    check_expression_type(name, expression, kind)
    if columns_of(tree) != expression.columns:
        raise ContractError(f'the expression of "{name}" reads columns that it does not use')
    return expression


def read_inputs(inputs: Sequence[Input], columns: Mapping[str, Sequence[object] | Array]) -> dict[str, Vector]:
    """Typed columns from raw ones. Raises ColumnError naming the column, and the row where a single value is wrong."""
    out: dict[str, Vector] = {}
    rows: int | None = None
    for item in inputs:
        values = columns.get(item.name)
        if values is None:
            wanted = ", ".join(other.name for other in inputs[:20])
            raise ColumnError(f'there is no column "{item.name}": send {wanted}{", …" if len(inputs) > 20 else ""}')
        if rows is None:
            rows = len(values)
        elif len(values) != rows:
            raise ColumnError(f'column "{item.name}" has {len(values)} rows, the columns before it {rows}')
        out[item.name] = (
            _from_array(item, values) if isinstance(values, np.ndarray) else raw_vector(item.name, item.type, values)
        )
    return out


def _from_array(item: Input, values: Array) -> Vector:
    if values.ndim != 1:
        raise ColumnError(f'column "{item.name}" has {values.ndim} dimensions, must have one')
    kind = values.dtype.kind
    if item.type == "number" and kind in "fiu":
        return number(values)
    if item.type == "integer" and kind == "i":
        return vector("integer", values.astype(np.int64, copy=False), None)
    if item.type == "boolean" and kind == "b":
        return vector("boolean", values, None)
    return raw_vector(item.name, item.type, values.tolist())


def fit_categories(counts: Mapping[str, int]) -> tuple[str, ...]:
    """The most frequent texts, at most 254, sorted; among equally frequent ones the smaller text is kept."""
    kept = sorted(counts, key=lambda text: (-counts[text], text))[:MAX_CATEGORIES]
    return tuple(sorted(kept))


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    raise ContractError(f"expected text, got {str(value)[:40]}")


def _texts(value: Json) -> tuple[str, ...]:
    if isinstance(value, list) and len(value) <= MAX_CATEGORIES:
        return tuple(_text(item) for item in value)
    raise ContractError("categories must be a list of at most 254 texts")


def _kind(value: Json) -> ValueType:
    for kind in VALUE_TYPES:
        if kind == value:
            return kind
    raise ContractError(f"there is no type {str(value)[:40]}: write {', '.join(VALUE_TYPES)}")


def _input(value: Json) -> Input:
    if isinstance(value, Mapping):
        return Input(_text(value.get("name")), _kind(value.get("type")))
    raise ContractError("an input must have name and type")


def _step(value: Json) -> Step:
    if isinstance(value, Mapping):
        return Step(_text(value.get("name")), _kind(value.get("type")), value.get("expression"))
    raise ContractError("a step must have name, type and expression")


def _target(value: Json) -> Target:
    if isinstance(value, Mapping):
        inputs = value.get("inputs")
        if isinstance(inputs, list):
            reads = tuple(_input(item) for item in inputs)
            return Target(_text(value.get("name")), _kind(value.get("type")), reads, value.get("expression"))
    raise ContractError("a target must have name, type and inputs")

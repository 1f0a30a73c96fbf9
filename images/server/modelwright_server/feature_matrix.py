"""From raw columns or rows to the model's matrix: what the feature contract answers, in less time.

Columns that are features as they stand (numbers, integers, booleans) go into the matrix directly, all of one type at
once. Only the others go through the contract, and everything does where a value needs a closer look.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import TypeAlias

import numpy as np

from modelwright_contract.expressions import columns_of
from modelwright_contract.features import FeatureContract
from modelwright_contract.vectors import Array, ColumnError, ValueType, Vector, number, quoted, raw_vector
from modelwright_server.packing import NotPackable, packed
from modelwright_server.prediction import Matrix
from modelwright_server.problems import Problem

RawColumn: TypeAlias = Array | Vector
"""A column of a request: a Vector, or an array of numbers, of integers or of booleans, as the column's type says."""

DEFAULT_MAX_ROWS = 10_000
_NAMED = 32
_NUMBERS = frozenset({int, float})
_PLAIN: dict[ValueType, tuple[str, frozenset[type]]] = {
    "number": ("d", _NUMBERS),
    "integer": ("q", frozenset({int})),
    "boolean": ("b", frozenset({bool})),
}
"""For each type whose columns go into the matrix directly: how it is packed, and the types of its values in JSON."""


class FeatureMatrix:
    """One model's way from what clients send to what the model takes."""

    def __init__(self, contract: FeatureContract, max_rows: int = DEFAULT_MAX_ROWS) -> None:
        """`max_rows` bounds the rows of one request."""
        self.columns: dict[str, ValueType] = {column.name: column.type for column in contract.inputs}
        self.features = contract.features
        self.max_rows = max_rows
        direct = _direct_columns(contract)
        self._positions = {name: position for position, name in enumerate(contract.features) if name in direct}
        self._blocks = [
            _Block(kind, [name for name in self._positions if self.columns[name] == kind], self._positions)
            for kind in _PLAIN
            if any(self.columns[name] == kind for name in self._positions)
        ]
        self._others = [name for name in self.columns if name not in direct]
        rest = {position: name for position, name in enumerate(contract.features) if name not in direct}
        self._rest_positions = _index(list(rest))
        self._rest: FeatureContract | None = None
        if rest:
            names = tuple(rest.values())
            self._rest = FeatureContract(contract.inputs, contract.steps, names, None, contract.categories)

    def check_rows(self, rows: int) -> None:
        """Raises Problem for none and for more than a request may have."""
        if rows < 1:
            raise Problem("the request has no rows; send at least one")
        if rows > self.max_rows:
            raise Problem(
                f"the request has {rows} rows, at most {self.max_rows} are taken; send them in several requests", 413
            )

    def of_rows(self, rows: Sequence[Mapping[str, object]]) -> Matrix:
        """The matrix of rows by column name, as JSON has them; names that the model doesn't read are passed over.

        None is a missing value. Raises Problem that names the row and the column, also where a row is no object.
        """
        self.check_rows(len(rows))
        out = np.empty((len(rows), len(self.features)))
        for block in self._blocks:
            values = block.of(rows)
            if values is None:
                return self.of_columns(self.columns_of(rows))
            out[:, block.positions] = values
        if self._others:
            try:
                columns = {name: [row[name] for row in rows] for name in self._others}
            except (KeyError, TypeError):
                columns = self.columns_of(rows)
            self._fill_rest(out, self.vectors({name: columns[name] for name in self._others}))
        return out

    def of_columns(self, columns: Mapping[str, RawColumn | Sequence[object]]) -> Matrix:
        """The matrix of whole columns of one length; a list holds values as JSON gives them. Raises Problem.

        The number of rows is the caller's business.
        """
        out = np.empty((len(next(iter(columns.values()))), len(self.features)))
        for name, position in self._positions.items():
            column = columns[name]
            if isinstance(column, np.ndarray):
                out[:, position] = column
            else:
                out[:, position] = self._vector(name, column).as_float()
        if self._others:
            self._fill_rest(out, self.vectors({name: columns[name] for name in self._others}))
        finite = np.isfinite(out)
        if not finite.all():
            out[~finite] = np.nan
        return out

    def of_arrays(self, rows: Sequence[object], *, booleans: bool) -> Matrix:
        """The matrix of rows that are lists of numbers in the order of the features; None is a missing value.

        `booleans` is whether there may be true or false among them. Raises Problem that names the row and the column.
        """
        self.check_rows(len(rows))
        width = len(self.features)
        values: list[float] = []
        for number_of_row, row in enumerate(rows, 1):
            if not isinstance(row, list) or len(row) != width:
                said = f"has {len(row)} values" if isinstance(row, list) else f"is {quoted(row)}"
                raise Problem(f"row {number_of_row} {said}, must be a list of {width} numbers: {self.named_features()}")
            values += row
        if not booleans:
            try:
                return packed("d", values).reshape(len(rows), width)
            except NotPackable:
                pass  # one value is none, or is missing: it is found below
        for index, value in enumerate(values):
            if type(value) not in _NUMBERS and value is not None:
                row_number, column = divmod(index, width)
                raise Problem(
                    f'row {row_number + 1}, column "{self.features[column]}": expected a number, got {quoted(value)}'
                )
        return np.array(values, dtype=np.float64).reshape(len(rows), width)

    def columns_of(self, rows: Sequence[Mapping[str, object]]) -> dict[str, list[object]]:
        """Rows as columns. Raises Problem for a row that is no object or lacks a column."""
        for position, row in enumerate(rows, 1):
            if type(row) is not dict:
                raise Problem(f'row {position}: {quoted(row)} is no object; write {{"column": value, …}}')
            for name in self.columns:
                if name not in row:
                    raise missing_column(f"row {position}", name, self)
        return {name: [row[name] for row in rows] for name in self.columns}

    def vectors(self, columns: Mapping[str, RawColumn | Sequence[object]]) -> dict[str, Vector]:
        """The same columns with each value held against the column's type. Raises Problem."""
        return {name: self._vector(name, column) for name, column in columns.items()}

    def named_columns(self) -> str:
        """The columns that the model reads, for messages."""
        return _listed(self.columns)

    def named_features(self) -> str:
        """The features in the order of the matrix, for messages."""
        return _listed(self.features)

    def _vector(self, name: str, column: RawColumn | Sequence[object]) -> Vector:
        if isinstance(column, Vector):
            return column
        kind = self.columns[name]
        if isinstance(column, np.ndarray):
            return number(column) if kind == "number" else Vector(kind, column, None)
        try:
            return raw_vector(name, kind, column)
        except ColumnError as problem:
            raise Problem(str(problem)) from problem

    def _fill_rest(self, out: Matrix, vectors: Mapping[str, Vector]) -> None:
        if self._rest is not None:
            out[:, self._rest_positions] = self._rest.features_of(vectors)


def missing_column(where: str, name: str, matrix: FeatureMatrix) -> Problem:
    """What is said when a column is not there at all."""
    known = matrix.named_columns()
    return Problem(f'{where}: column "{name}" is missing; the model reads {known} (write null for a missing value)')


class _Block:
    """The columns of one type that are features as they stand: how rows are asked for them, and where they go."""

    def __init__(self, kind: ValueType, names: Sequence[str], positions: Mapping[str, int]) -> None:
        self.positions = _index([positions[name] for name in names])
        self._code, self._types = _PLAIN[kind]
        self._width = len(names)
        self._take: Callable[[Mapping[str, object]], Iterable[float]] = itemgetter(*names)
        if len(names) == 1:
            only = itemgetter(names[0])
            self._take = lambda row: (only(row),)

    def of(self, rows: Iterable[Mapping[str, object]]) -> Array | None:
        """The values [rows, width]; None where one is lacking or of another type, or a row is no object."""
        try:
            values = list(chain.from_iterable(map(self._take, rows)))
            if self._types.issuperset(map(type, values)):
                return packed(self._code, values).reshape(-1, self._width)
        except (KeyError, TypeError, NotPackable):
            pass
        return None


def _direct_columns(contract: FeatureContract) -> frozenset[str]:
    """Columns that stand among the features just once and are read by nothing else."""
    steps = {step.name: step for step in contract.steps}
    plain = {column.name for column in contract.inputs if column.type in _PLAIN and column.name not in steps}
    read: set[str] = set()
    for name in contract.features:
        if name in steps:
            columns = columns_of(steps[name].expression)
            if not columns:
                # A constant takes its length from some column, so the contract must see one.
                return frozenset()
            read |= columns
    times = Counter(contract.features)
    return frozenset(name for name in plain - read if times[name] == 1)


def _index(positions: list[int]) -> slice | Array:
    """Positions in the form that NumPy is fastest with."""
    if positions and positions == list(range(positions[0], positions[-1] + 1)):
        return slice(positions[0], positions[-1] + 1)
    return np.array(positions, dtype=np.intp)


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")

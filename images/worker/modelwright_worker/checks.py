"""The user's checks: rows of the table, nulls and allowed values of columns. Breaches are sentences with figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import duckdb

from modelwright_contract.tasks import Check, Column
from modelwright_contract.vectors import Vector, quoted
from modelwright_worker.engine import count, name, one_row, text

_SHOWN = 3
_MOST_VALUES = 10_000


@dataclass(frozen=True, slots=True)
class Breaches:
    """What was found, by severity."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check_rows(checks: Sequence[Check], rows: int, breaches: Breaches) -> None:
    """Row counts."""
    for check in checks:
        bounds = check.row_count
        if bounds is None:
            continue
        sentence = None
        if bounds.min is not None and rows < bounds.min:
            sentence = f'check "{check.name}": the source has {rows} rows, at least {bounds.min} are wanted'
        elif bounds.max is not None and rows > bounds.max:
            sentence = f'check "{check.name}": the source has {rows} rows, at most {bounds.max} are wanted'
        if sentence is not None:
            (breaches.errors if check.severity == "error" else breaches.warnings).append(sentence)


def check_stored(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[Column], rows: int, breaches: Breaches
) -> None:
    """Nulls and allowed values of columns that table `typed` holds."""
    for column in columns:
        own = name(column.name)
        if column.max_null_fraction is not None:
            nulls = count(connection, f"SELECT count(*) - count({own}) FROM typed")
            _check_nulls(column, nulls, rows, breaches)
        if column.allowed:
            listed = ", ".join(text(value) for value in column.allowed)
            strange = f"FROM typed WHERE CAST({own} AS VARCHAR) NOT IN ({listed})"
            total = one_row(connection, f"SELECT count(*) {strange}")[0]
            if total:
                query = (
                    f"SELECT CAST({own} AS VARCHAR), count(*) {strange} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_SHOWN}"
                )
                _report_strange(column, int(str(total)), connection.execute(query).fetchall(), breaches)


class ComputedChecks:
    """Nulls and allowed values of computed columns, gathered while rows pass by."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self._nulls: Counter[str] = Counter()
        self._strange: dict[str, Counter[str]] = {column.name: Counter() for column in columns}

    def see(self, column: Column, values: Vector) -> None:
        """Take a column's values of some rows."""
        if values.missing is not None:
            self._nulls[column.name] += int(values.missing.sum())
        if column.allowed:
            allowed, strange = frozenset(column.allowed), self._strange[column.name]
            for value in values.to_list():
                if value is None:
                    continue
                shown = str(value).lower() if isinstance(value, bool) else str(value)
                if shown not in allowed and (shown in strange or len(strange) < _MOST_VALUES):
                    strange[shown] += 1

    def report(self, rows: int, breaches: Breaches) -> None:
        """Judge what was gathered."""
        for column in self.columns:
            if column.max_null_fraction is not None:
                _check_nulls(column, self._nulls[column.name], rows, breaches)
            strange = self._strange[column.name]
            if strange:
                first = sorted(strange.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]
                _report_strange(column, strange.total(), first, breaches)


def _check_nulls(column: Column, nulls: int, rows: int, breaches: Breaches) -> None:
    assert column.max_null_fraction is not None
    if rows and Fraction(nulls, rows) > Fraction(column.max_null_fraction):
        breaches.errors.append(
            f'column "{column.name}": {nulls} of {rows} values are null ({nulls / rows:.4g}), '
            f"at most {column.max_null_fraction} is allowed"
        )


def _report_strange(column: Column, total: int, first: Sequence[tuple[str, int]], breaches: Breaches) -> None:
    shown = ", ".join(f"{quoted(value)} ({times} rows)" for value, times in first)
    breaches.errors.append(f'column "{column.name}": {total} values are not among those allowed, such as {shown}')

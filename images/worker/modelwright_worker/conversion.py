"""Source columns → our five types, in SQL. What a declared type does not admit is told with its row.

In CSV an empty value is missing; in columns that are not text also NA, N/A, NaN, nan, null and NULL. Numbers that are
not finite are missing. Timestamps without an offset are UTC. A column without a declared type has the narrowest type
that all its values fit, in the order integer, number, boolean, timestamp, string.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from modelwright_contract.vectors import ARTICLED, ValueType, quoted
from modelwright_worker.engine import count, name
from modelwright_worker.failures import Told
from modelwright_worker.reading import SourceColumn

_MISSING = "('', 'NA', 'N/A', 'NaN', 'nan', 'null', 'NULL')"
_SAMPLE_ROWS = 2048
_PATTERNS: dict[ValueType, str] = {
    "integer": r"[+-]?[0-9]{1,18}",
    "number": r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?",
    "boolean": r"(?i)true|false",
    "timestamp": (
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
    ),
}
_DECLARED: dict[ValueType, str] = {
    **_PATTERNS,
    "integer": r"[+-]?[0-9]{1,18}(\.0*)?",
    "boolean": r"(?i)true|false|t|f|yes|no|y|n|1|0",
}
_SQL: dict[ValueType, str] = {
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
    "string": "VARCHAR",
}
_ORDER: tuple[ValueType, ...] = ("integer", "number", "boolean", "timestamp")


def _value(column: SourceColumn, kind: ValueType) -> str:
    """The value that is to be converted; null where it is missing."""
    own = name(column.name)
    if not column.is_text:
        return f"CASE WHEN isfinite({own}) THEN {own} END" if column.held in ("FLOAT", "DOUBLE") else own
    if kind == "string":
        return f"nullif({own}, '')"
    return f"CASE WHEN trim({own}) NOT IN {_MISSING} THEN trim({own}) END"


def _pattern(kind: ValueType, *, declared: bool) -> str:
    return (_DECLARED if declared else _PATTERNS)[kind]


def _misfits(column: SourceColumn, kind: ValueType, *, declared: bool) -> str:
    """A condition that holds for values which don't fit the type."""
    value = _value(column, kind)
    converted = conversion(column, kind)
    if column.is_text or column.type == "string":
        if kind == "string":
            return "false"
        pattern = _pattern(kind, declared=declared)
        fits = f"regexp_full_match({value}, '{pattern}')"
        # The pattern alone admits the 31st of February.
        return f"{value} IS NOT NULL AND (NOT {fits} OR {converted} IS NULL)"
    if column.type == "number" and kind == "integer":
        return f"{value} IS NOT NULL AND ({converted} IS NULL OR {converted} <> {value})"
    return f"{value} IS NOT NULL AND {converted} IS NULL"


def conversion(column: SourceColumn, kind: ValueType) -> str:
    """The SQL expression that gives the column in a type; null where it is missing or does not fit."""
    return f"TRY_CAST({_value(column, kind)} AS {_SQL[kind]})"


def told_types(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[SourceColumn], declared: dict[str, ValueType]
) -> dict[str, ValueType]:
    """The type of each column, declared, natural or inferred. Raises Told: ColumnTypeMismatch."""
    open_ones = [column for column in columns if column.is_text and column.name not in declared]
    out = _inferred(connection, open_ones)
    for column in columns:
        wanted = declared.get(column.name)
        if wanted is None:
            if column.type is not None:
                out[column.name] = column.type
            continue
        _require_convertible(column, wanted)
        out[column.name] = wanted
    _require_fit(connection, [column for column in columns if column.name in declared], declared)
    return {column.name: out[column.name] for column in columns if column.name in out}


def _require_convertible(column: SourceColumn, wanted: ValueType) -> None:
    if (
        column.is_text
        or column.type in (wanted, "string")
        or (column.type, wanted)
        in (
            ("integer", "number"),
            ("number", "integer"),
            ("integer", "string"),
            ("boolean", "string"),
            ("integer", "boolean"),
            ("boolean", "integer"),
        )
    ):
        return
    held = column.type or column.held
    message = f'column "{column.name}" is declared {wanted}, the source holds {held}: '
    message += f"declare type {column.type}" if column.type else "declare role ignore, or convert it in the source"
    raise Told("ColumnTypeMismatch", message, retry=True)


def _inferred(connection: duckdb.DuckDBPyConnection, columns: Sequence[SourceColumn]) -> dict[str, ValueType]:
    """Guess from the first rows, then widen until all rows fit: the same answer as trying every type on all rows."""
    out: dict[str, ValueType] = {}
    position = dict.fromkeys((column.name for column in columns), 0)
    table = f"(SELECT * FROM source LIMIT {_SAMPLE_ROWS})"
    for full in (False, True):
        remaining = list(columns)
        while remaining:
            trial = [
                (column, _ORDER[position[column.name]]) for column in remaining if position[column.name] < len(_ORDER)
            ]
            if not trial:
                break
            figures = ", ".join(
                f"count(*) FILTER (WHERE {_misfits(column, kind, declared=False)}), count({_value(column, kind)})"
                for column, kind in trial
            )
            row = connection.execute(f"SELECT {figures} FROM {'source' if full else table}").fetchone()
            assert row is not None
            remaining = []
            for index, (column, _) in enumerate(trial):
                misfits, present = row[2 * index], row[2 * index + 1]
                if misfits > 0:
                    position[column.name] += 1
                    remaining.append(column)
                elif full and present == 0:
                    position[column.name] = _ORDER.index("number")
    for column in columns:
        at = position[column.name]
        out[column.name] = _ORDER[at] if at < len(_ORDER) else "string"
    return out


def _require_fit(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[SourceColumn], declared: dict[str, ValueType]
) -> None:
    if not columns:
        return
    conditions = [_misfits(column, declared[column.name], declared=True) for column in columns]
    row = connection.execute(
        "SELECT " + ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in conditions) + " FROM source"
    ).fetchone()
    assert row is not None
    for column, condition, misfits in zip(columns, conditions, row, strict=True):
        if misfits == 0:
            continue
        first = connection.execute(
            f"SELECT rowid, {name(column.name)} FROM source WHERE {condition} ORDER BY rowid LIMIT 1"
        ).fetchone()
        assert first is not None
        others = f" (and {misfits - 1} more rows)" if misfits > 1 else ""
        message = (
            f'row {first[0] + 1}, column "{column.name}": expected {ARTICLED[declared[column.name]]}, '
            f"got {quoted(first[1])}{others}: correct the source, or the column's type in spec.columns"
        )
        raise Told("ColumnTypeMismatch", message, retry=True)


def rows_of(connection: duckdb.DuckDBPyConnection) -> int:
    """Rows of the source."""
    return count(connection, "SELECT count(*) FROM source")

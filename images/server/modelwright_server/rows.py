"""Rows by column name, as JSON objects or CSV, turned into columns. Columns that the model doesn't read are ignored."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping

import orjson

from modelwright_contract.vectors import ColumnError, ValueType, Vector, quoted, raw_vector
from modelwright_server.problems import Problem

_TRUTH = {"true": True, "false": False, "1": True, "0": False, "t": True, "f": False}


def parse_json(body: bytes) -> object:
    """A JSON document; raises Problem for anything else (also for NaN, invalid UTF-8 and nesting over 1024 levels)."""
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise Problem(f"the body is no JSON: {problem}") from problem
    return document


def columns_of_json(body: bytes, columns: Mapping[str, ValueType]) -> dict[str, Vector]:
    """Columns of a list of objects, or of `{"rows": [...]}`. A null is a missing value; a missing name is a Problem."""
    document = parse_json(body)
    rows = document.get("rows") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise Problem('the body must be a list of rows [{"column": value, …}, …], or {"rows": [{…}, …]}')
    if not rows:
        raise Problem("the body has no rows; send at least one")
    for number, row in enumerate(rows, 1):
        if type(row) is not dict:
            raise Problem(f'row {number}: {quoted(row)} is no object; write {{"column": value, …}}')
    values: dict[str, list[object]] = {}
    for name in columns:
        try:
            values[name] = [row[name] for row in rows]
        except KeyError:
            number = next(number for number, row in enumerate(rows, 1) if name not in row)
            raise _missing(f"row {number}", name, columns) from None
    return _vectors(values, columns)


def columns_of_csv(body: bytes, columns: Mapping[str, ValueType]) -> dict[str, Vector]:
    """Columns of CSV (RFC 4180) in UTF-8 with a header line. An empty cell is a missing value."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise Problem(f"the body is no UTF-8: byte {problem.start} can't be read") from problem
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        lines = [line for line in reader if line]
    except csv.Error as problem:
        raise Problem(f"the body is no CSV: line {reader.line_num}: {problem}") from problem
    if not lines:
        raise Problem("the body has no rows; send a header line and at least one row")
    for number, line in enumerate(lines, 1):
        if len(line) != len(header):
            raise Problem(f"row {number} has {len(line)} cells, the header has {len(header)}")
    values: dict[str, list[object]] = {}
    for name, column_type in columns.items():
        if name not in header:
            raise _missing("the header", name, columns)
        position, read = header.index(name), _CELLS[column_type]
        values[name] = [read(line[position]) for line in lines]
    return _vectors(values, columns)


def _missing(where: str, name: str, columns: Mapping[str, ValueType]) -> Problem:
    return Problem(
        f'{where}: column "{name}" is missing; the model reads {", ".join(columns)} (write null for a missing value)'
    )


def _vectors(values: Mapping[str, list[object]], columns: Mapping[str, ValueType]) -> dict[str, Vector]:
    try:
        return {name: raw_vector(name, column_type, values[name]) for name, column_type in columns.items()}
    except ColumnError as problem:
        raise Problem(str(problem)) from problem


def _number(cell: str) -> object:
    # A cell that can't be read stays text, so that the column's own check names its row.
    try:
        return float(_plain(cell)) if cell else None
    except ValueError:
        return cell


def _integer(cell: str) -> object:
    try:
        return int(_plain(cell)) if cell else None
    except ValueError:
        return _number(cell)


def _plain(cell: str) -> str:
    # Python reads 1_000 as a number; nobody else does.
    if "_" in cell:
        raise ValueError(cell)
    return cell


_CELLS: dict[ValueType, Callable[[str], object]] = {
    "number": _number,
    "integer": _integer,
    "boolean": lambda cell: _TRUTH.get(cell.strip().lower(), cell) if cell else None,
    "string": lambda cell: cell or None,
    "timestamp": lambda cell: cell or None,
}

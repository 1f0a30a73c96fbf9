"""Rows by column name as CSV: read into whole columns."""

from __future__ import annotations

import csv
import io
from array import array
from collections import Counter
from collections.abc import Callable
from itertools import islice

import numpy as np

from modelwright_contract.vectors import Array, ValueType
from modelwright_server.feature_matrix import FeatureMatrix, missing_column
from modelwright_server.problems import Problem

_TRUTH = {"true": True, "false": False, "1": True, "0": False, "t": True, "f": False}


def columns_of_csv(body: bytes, matrix: FeatureMatrix) -> dict[str, Array | list[object]]:
    """Columns of CSV (RFC 4180) in UTF-8 with a header line; names that the model doesn't read are passed over.

    An empty cell is a missing value. Raises Problem.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise Problem(f"the body is no UTF-8: byte {problem.start} can't be read", 400) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        lines = list(islice(filter(None, reader), matrix.max_rows + 1))
    except csv.Error as problem:
        raise Problem(f"the body is no CSV: line {reader.line_num}: {problem}", 400) from None
    if len(lines) > matrix.max_rows:
        raise Problem(f"the body has more than {matrix.max_rows} rows; send them in several requests", 413)
    matrix.check_rows(len(lines))
    for number, line in enumerate(lines, 1):
        if len(line) != len(header):
            raise Problem(f"row {number} has {len(line)} cells, the header has {len(header)}", 400)
    times = Counter(header)
    positions = {name: position for position, name in enumerate(header)}
    underscores = text.rfind("_") >= text.find("\n")
    columns: dict[str, Array | list[object]] = {}
    for name, kind in matrix.columns.items():
        if times[name] > 1:
            raise Problem(f'the header: column "{name}" is there {times[name]} times')
        if not times[name]:
            raise missing_column("the header", name, matrix)
        position = positions[name]
        columns[name] = _values([line[position] for line in lines], kind, underscores=underscores)
    return columns


def _values(cells: list[str], kind: ValueType, *, underscores: bool) -> Array | list[object]:
    if kind == "number" and not underscores:
        try:
            return np.frombuffer(array("d", map(float, cells)))
        except ValueError:
            pass  # an empty cell, or one that is no number
    return list(map(_CELLS[kind], cells))


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

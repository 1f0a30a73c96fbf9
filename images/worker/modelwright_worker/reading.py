"""Files of a source → table `source` in DuckDB, in the order of files and rows. CSV columns are still text."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from modelwright_contract.vectors import ValueType
from modelwright_worker.engine import count, text
from modelwright_worker.failures import Told, shortened
from modelwright_worker.source import Format, LocalFile

MAX_COLUMNS = 4096
_LINE = re.compile(r"CSV Error on Line: (\d+)\s*\n")
_FOUND = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")
_ORIGINAL = re.compile(r"Original Line: (.*)")
_FILE = re.compile(r"file = (.*)")

_NATURAL: dict[str, ValueType] = {
    "BOOLEAN": "boolean",
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), "integer"),
    **dict.fromkeys(("FLOAT", "DOUBLE", "UBIGINT", "HUGEINT", "UHUGEINT"), "number"),
    **dict.fromkeys(("VARCHAR", "UUID"), "string"),
    **dict.fromkeys(("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "timestamp"),
    "TIMESTAMP WITH TIME ZONE": "timestamp",
}


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column as the source has it. `type` is None while it is not known (CSV), or when `held` can't be used."""

    name: str
    held: str
    type: ValueType | None
    is_text: bool


def load(connection: duckdb.DuckDBPyConnection, files: Sequence[LocalFile], kind: Format) -> tuple[SourceColumn, ...]:
    """Create table `source`; gives its columns in order. Raises Told."""
    names = {str(file.path): file.name for file in files}
    try:
        columns = _load_csv(connection, files) if kind == "csv" else _load_parquet(connection, files)
    except duckdb.OutOfMemoryException as error:
        message = f"the source does not fit the memory limit: raise spec.resources.limits.memory ({_first_line(error)})"
        raise Told("SourceUnreadable", message, retry=False) from error
    except duckdb.Error as error:
        raise _unreadable(error, names, kind) from error
    if len(columns) > MAX_COLUMNS:
        message = f"the source has {len(columns)} columns, at most {MAX_COLUMNS} are read"
        raise Told("SourceUnreadable", message, retry=True)
    if count(connection, "SELECT count(*) FROM source") == 0:
        listed = ", ".join(names.values())
        raise Told("SourceEmpty", f"the source has no rows: {shortened(listed, 200)} is there, but empty", retry=True)
    return columns


def _load_csv(connection: duckdb.DuckDBPyConnection, files: Sequence[LocalFile]) -> tuple[SourceColumn, ...]:
    header = _header(files[0])
    for file in files[1:]:
        if _header(file) != header:
            message = f"{file.name} has another header than {files[0].name}: all files must have the same columns"
            raise Told("SourceUnreadable", message, retry=True)
    columns = ", ".join(f"{text(column)}: 'VARCHAR'" for column in header)
    paths = ", ".join(text(str(file.path)) for file in files)
    connection.execute(
        f"CREATE TABLE source AS SELECT * FROM read_csv([{paths}], columns = {{{columns}}}, auto_detect = false, "
        "header = true, delim = ',', quote = '\"', escape = '\"', strict_mode = true, null_padding = false)"
    )
    return tuple(SourceColumn(column, "text", None, True) for column in header)


def _header(file: LocalFile) -> list[str]:
    opened = gzip.open if file.path.name.endswith(".gz") else open
    try:
        # What is not UTF-8 further down is told by DuckDB, with its line.
        with opened(file.path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
            header = next(csv.reader(lines, strict=True), [])
        "".join(header).encode()
    except (UnicodeEncodeError, csv.Error, OSError, EOFError) as error:
        raise Told(
            "SourceUnreadable", f"{file.name}, line 1: can't be read as CSV in UTF-8: {error}", retry=True
        ) from error
    if not header:
        raise Told("SourceEmpty", f"{file.name} is empty: the first line must name the columns", retry=True)
    seen: set[str] = set()
    for column in header:
        if not column.strip():
            raise Told("SourceUnreadable", f"{file.name}, line 1: a column has no name", retry=True)
        if column.lower() in seen:
            raise Told("SourceUnreadable", f'{file.name}, line 1: the column "{column}" is there twice', retry=True)
        seen.add(column.lower())
    if len(header) == 1 and (header[0].count(";") or header[0].count("\t")):
        shown = shortened(header[0], 60)
        message = f'{file.name}, line 1: one column "{shown}" was found: columns must be separated by commas'
        raise Told("SourceUnreadable", message, retry=True)
    return header


def _load_parquet(connection: duckdb.DuckDBPyConnection, files: Sequence[LocalFile]) -> tuple[SourceColumn, ...]:
    paths = ", ".join(text(str(file.path)) for file in files)
    connection.execute(f"CREATE TABLE source AS SELECT * FROM read_parquet([{paths}], hive_partitioning = false)")
    described = connection.execute("DESCRIBE source").fetchall()
    return tuple(_parquet_column(str(row[0]), str(row[1])) for row in described)


def _parquet_column(column: str, held: str) -> SourceColumn:
    if held.startswith("DECIMAL"):
        return SourceColumn(column, held, "number", False)
    if held.startswith("ENUM"):
        return SourceColumn(column, held, "string", False)
    return SourceColumn(column, held, _NATURAL.get(held), False)


def _unreadable(error: duckdb.Error, names: dict[str, str], kind: Format) -> Told:
    said = str(error)
    path = _FILE.search(said)
    only = next(iter(names.values())) if len(names) == 1 else "the source"
    file = names.get(path.group(1).strip(), only) if path else only
    line = _LINE.search(said)
    if line is None:
        for local, known in names.items():
            said = said.replace(local, known)
        return Told(
            "SourceUnreadable", f"{file} can't be read as {kind}: {shortened(said.splitlines()[0], 300)}", retry=True
        )
    where = f"{file}, line {line.group(1)}"
    found = _FOUND.search(said)
    original = _ORIGINAL.search(said)
    quoted = f": {shortened(original.group(1), 120)}" if original else ""
    if found:
        message = f"{where}: expected {found.group(1)} values, found {found.group(2)}{quoted}"
    elif "unterminated quote" in said:
        message = f"{where}: a quoted value does not end{quoted}"
    elif "utf-8" in said:
        message = f"{where}: not UTF-8: write the file in UTF-8"
    else:
        message = f"{where}: {_first_line(error)}{quoted}"
    return Told("SourceUnreadable", message, retry=True)


def _first_line(error: Exception) -> str:
    return shortened(str(error).splitlines()[0], 200)

"""DuckDB as the worker uses it: bounded memory and threads, no way out of scratch, nothing loaded later."""

from __future__ import annotations

from pathlib import Path

import duckdb

from modelwright_worker.limits import memory_bytes, processors

MEMORY_SHARE = 0.6
"""Of the container's memory; the rest is for Arrow, NumPy and Python."""


def connect(scratch: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory database that spills to scratch and reads files from there only."""
    spill = scratch / "spill"
    spill.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{int(memory_bytes() * MEMORY_SHARE) >> 20}MiB",
            "threads": processors(),
            "temp_directory": str(spill),
            "preserve_insertion_order": True,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    for setting in (
        "SET TimeZone = 'UTC'",
        f"SET allowed_directories = [{text(str(scratch))}]",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        connection.execute(setting)
    return connection


def name(identifier: str) -> str:
    """A quoted identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def text(literal: str) -> str:
    """A quoted text literal."""
    return "'" + literal.replace("'", "''") + "'"


def one_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[object, ...]:
    """The single row of a query."""
    row: tuple[object, ...] | None = connection.execute(query).fetchone()
    assert row is not None
    return row


def count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """The single integer of a query."""
    value = one_row(connection, query)[0]
    assert isinstance(value, int)
    return value

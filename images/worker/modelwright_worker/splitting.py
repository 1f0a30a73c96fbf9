"""Which rows go to which split, and the split files: the same bytes for the same rows, on any number of threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from modelwright_contract.manifests import SPLITS, StoredColumn
from modelwright_contract.tasks import Split
from modelwright_worker.arrow_columns import ARROW_TYPES, kind_of
from modelwright_worker.conversion import conversion
from modelwright_worker.engine import name, text
from modelwright_worker.failures import Told
from modelwright_worker.reading import SourceColumn

ROW_GROUP_ROWS = 65_536
_BATCH_ROWS = 32_768
SPLIT_COLUMN = "modelwright split"
"""Beside the stored columns while rows are in DuckDB; it is never written."""


def assign(
    connection: duckdb.DuckDBPyConnection,
    source: Sequence[SourceColumn],
    stored: Sequence[StoredColumn],
    split: Split,
) -> None:
    """Replace table `source` by table `typed`: the stored columns in their types, and `_split` (0, 1 or 2).

    A row's split is decided by md5(key || seed), without a key by all columns of the row, so it is the same wherever
    the row stands and whatever other rows there are.
    """
    if split.key is not None:
        content = f"coalesce(CAST({name(split.key)} AS VARCHAR), '')"
    else:
        parts = ", ".join(f"coalesce(CAST({name(column.name)} AS VARCHAR), chr(30))" for column in source)
        content = f"concat_ws(chr(31), {parts})"
    bucket = f"CAST('0x' || substr(md5({content} || {text(str(split.seed))}), 1, 8) AS UBIGINT) % 100"
    by_name = {column.name: column for column in source}
    columns = "".join(
        f"{conversion(by_name[column.name], kind_of(column))} AS {name(column.name)}, " for column in stored
    )
    validation = split.train + split.validation
    connection.execute(
        f"CREATE TABLE typed AS SELECT {columns}"
        f"CASE WHEN bucket < {split.train} THEN 0 WHEN bucket < {validation} THEN 1 ELSE 2 END AS {name(SPLIT_COLUMN)} "
        f"FROM (SELECT *, {bucket} AS bucket FROM source)"
    )
    connection.execute("DROP TABLE source")


def require_rows(connection: duckdb.DuckDBPyConnection, split: Split) -> Mapping[str, int]:
    """Rows of each split. Raises Told when one that was asked for has none."""
    column = name(SPLIT_COLUMN)
    found: dict[int, int] = dict(connection.execute(f"SELECT {column}, count(*) FROM typed GROUP BY 1").fetchall())
    rows = {label: found.get(index, 0) for index, label in enumerate(SPLITS)}
    percent = {"train": split.train, "validation": split.validation, "test": split.test}
    for label, share in percent.items():
        if share > 0 and rows[label] == 0:
            total = sum(rows.values())
            message = (
                f"the {label} split ({share} %) has no rows: the source has {total}"
                + (f" and the key {split.key} may hold few values" if split.key else "")
                + ": give more rows, or change spec.split"
            )
            raise Told("SplitEmpty", message, retry=True)
    return rows


def write_split(
    connection: duckdb.DuckDBPyConnection, stored: Sequence[StoredColumn], index: int, path: Path
) -> Iterator[pa.Table]:
    """Write split `index` in row groups of exactly ROW_GROUP_ROWS rows, giving each on to who looks at rows."""
    schema = pa.schema([(column.name, ARROW_TYPES[kind_of(column)]) for column in stored])
    columns = ", ".join(name(column.name) for column in stored)
    query = f"SELECT {columns} FROM typed WHERE {name(SPLIT_COLUMN)} = {index}"
    reader = connection.execute(query).to_arrow_reader(_BATCH_ROWS)
    with pq.ParquetWriter(
        path, schema, version="2.6", compression="zstd", compression_level=1, store_schema=False
    ) as writer:
        for group in _row_groups(reader):
            shaped = group.combine_chunks().cast(schema)
            writer.write_table(shaped, row_group_size=ROW_GROUP_ROWS)
            yield shaped


def _row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        while rows >= ROW_GROUP_ROWS:
            table = pa.Table.from_batches(waiting)
            yield table.slice(0, ROW_GROUP_ROWS)
            rest = table.slice(ROW_GROUP_ROWS)
            waiting, rows = rest.to_batches(), rest.num_rows
    if rows:
        yield pa.Table.from_batches(waiting)

"""The file of a batch: one row for each row that was asked about, in groups of a fixed size, in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from modelwright_worker.splitting import ROW_GROUP_ROWS
from modelwright_worker.tensors import Answer, label_type

ROW, PREDICTION, PROBABILITIES, MODEL = "row", "prediction", "probabilities", "model"
OWN = (ROW, PREDICTION, PROBABILITIES, MODEL)
"""Names of columns that are not the dataset's."""


class AnswersFile:
    """Writes keys and answers; the same rows and answers give the same bytes. Use as a context manager.

    `keys` are the columns by which a row is known, `classes` the model's. What `told` says stands in the file's
    metadata.
    """

    def __init__(
        self,
        path: Path,
        keys: Sequence[pa.Field],
        model: str,
        classes: Sequence[str | int | bool] | None,
        told: Mapping[str, str],
    ) -> None:
        self.rows = 0
        self._model, self._classes = model, classes
        self._keys, self._told = list(keys), told
        self._path = path
        self._writer: pq.ParquetWriter | None = None
        self._schema: pa.Schema | None = None
        self._waiting: list[pa.RecordBatch] = []
        self._waits = 0

    def write(self, keys: Sequence[pa.Array], answer: Answer) -> None:
        """Append rows."""
        if self._schema is None:
            self._schema = self._schema_of(answer)
        columns = [*keys, answer.predictions]
        rows = len(answer.predictions)
        if answer.probabilities is not None:
            parts = [pa.array(answer.probabilities[:, index]) for index in range(answer.probabilities.shape[1])]
            columns.append(pa.StructArray.from_arrays(parts, fields=list(self._schema.field(PROBABILITIES).type)))
        columns.append(pa.repeat(self._model, rows))
        self._waiting.append(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self._waits += rows
        self.rows += rows
        while self._waits >= ROW_GROUP_ROWS:
            self._flush(ROW_GROUP_ROWS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None and self._waits:
            self._flush(self._waits)
        if self._writer is not None:
            self._writer.add_key_value_metadata(dict(self._told))
            self._writer.close()

    def _schema_of(self, answer: Answer) -> pa.Schema:
        fields = [*self._keys, pa.field(PREDICTION, label_type(self._classes))]
        if answer.probabilities is not None:
            fields.append(
                pa.field(PROBABILITIES, pa.struct([(str(value), pa.float64()) for value in self._classes or ()]))
            )
        return pa.schema([*fields, pa.field(MODEL, pa.string())])

    def _flush(self, rows: int) -> None:
        table = pa.Table.from_batches(self._waiting)
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._path, self._schema, version="2.6", compression="zstd", compression_level=1, store_schema=False
            )
        self._writer.write_table(table.slice(0, rows).combine_chunks(), row_group_size=rows)
        rest = table.slice(rows)
        self._waiting, self._waits = rest.to_batches(), rest.num_rows

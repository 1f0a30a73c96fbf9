"""Arrow columns → the contract's vectors, without a Python object for each number."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelwright_contract.manifests import StoredColumn
from modelwright_contract.vectors import VALUE_TYPES, Array, ValueType, Vector, number, vector

ARROW_TYPES: dict[ValueType, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}

CONVERTIBLE: frozenset[tuple[ValueType, ValueType]] = frozenset({("integer", "number"), ("number", "integer")})
"""Types that are guessed anew from each version's values."""


def kind_of(column: StoredColumn) -> ValueType:
    """The type of a stored column. Raises KeyError for a manifest of another version."""
    return {str(kind): kind for kind in VALUE_TYPES}[column.type]


def to_vector(column: pa.Array | pa.ChunkedArray, kind: ValueType) -> Vector:
    """One column; its Arrow type must be the one that belongs to the kind."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    missing = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    match kind:
        case "string":
            return vector(kind, _texts(column), missing)
        case "timestamp":
            return vector(kind, column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False), missing)
        case "number":
            return number(column.to_numpy(zero_copy_only=False))
        case "integer":
            return vector(kind, column.fill_null(0).to_numpy(zero_copy_only=False), missing)
        case "boolean":
            return vector(kind, column.fill_null(False).to_numpy(zero_copy_only=False), missing)


def _texts(column: pa.Array) -> Array:
    encoded = pc.fill_null(column, "").dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    words = np.empty(len(encoded.dictionary), dtype=object)
    words[:] = encoded.dictionary.to_pylist()
    texts: Array = words[encoded.indices.to_numpy(zero_copy_only=False)]
    return texts


def to_vectors(table: pa.Table | pa.RecordBatch, types: Iterable[tuple[str, ValueType]]) -> dict[str, Vector]:
    """Several columns by name."""
    return {name: to_vector(table.column(name), kind) for name, kind in types}

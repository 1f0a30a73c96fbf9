"""Reading a dataset version: its manifest by digest, and its splits through the contract."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from modelwright_contract.features import ContractError, FeatureContract
from modelwright_contract.manifests import DatasetManifest, ManifestError
from modelwright_contract.tasks import DatasetReference
from modelwright_contract.vectors import Array, Vector, vector
from modelwright_worker.arrow_columns import kind_of, to_vectors
from modelwright_worker.context import Context
from modelwright_worker.failures import Told
from modelwright_worker.labels import present, to_array
from modelwright_worker.store import Store, fetch_blob, read_manifest


@dataclass(frozen=True, slots=True)
class Rows:
    """Matrix and target of a split's rows whose target is present; `raw` columns of all its rows, present or not."""

    matrix: NDArray[np.float64]
    target: Array
    rows: int
    raw: Mapping[str, Vector]
    present: NDArray[np.bool_]


def open_dataset(reference: DatasetReference, store: Store) -> tuple[DatasetManifest, FeatureContract]:
    """The pinned version. Raises Told: DatasetNotFound, TargetMissing."""
    manifest = open_version(reference, store)
    try:
        contract = FeatureContract.from_json(manifest.contract)
    except ContractError as error:
        raise Told("DatasetNotFound", f"the dataset version {reference.digest}: {error}", retry=False) from error
    if contract.target is None:
        message = "the dataset has no target: declare a column with role: target in the Dataset's spec.columns"
        raise Told("TargetMissing", message, retry=False)
    return manifest, contract


def open_version(reference: DatasetReference, store: Store) -> DatasetManifest:
    """The manifest of a version, whatever it is for. Raises Told: DatasetNotFound."""
    content = read_manifest(store, reference.digest)
    if content is None:
        message = f"the dataset version {reference.digest} is not in the store {store.uri}: was it removed there?"
        raise Told("DatasetNotFound", message, retry=True)
    try:
        return DatasetManifest.parse(content)
    except ManifestError as error:
        raise Told("DatasetNotFound", f"the dataset version {reference.digest}: {error}", retry=False) from error


def fetch_split(label: str, manifest: DatasetManifest, context: Context) -> Path:
    """The file of a split, in scratch; for the caller to unlink. Raises Told: DatasetNotFound."""
    path = context.places.scratch / f"{label}.parquet"
    if not fetch_blob(context.store, manifest.splits[label], path):
        message = f"the {label} split {manifest.splits[label].digest} is not in the store, or was altered there"
        raise Told("DatasetNotFound", message, retry=True)
    return path


def read_split(
    label: str,
    manifest: DatasetManifest,
    contract: FeatureContract,
    task: Literal["classification", "regression"],
    context: Context,
    also: Collection[str] = (),
) -> Rows:
    """A split as matrix and target, and its raw columns with those named in `also`. Raises Told."""
    path = fetch_split(label, manifest, context)
    assert contract.target is not None
    wanted = {item.name: item.type for item in (*contract.inputs, *contract.target.inputs)}
    wanted |= {column.name: kind_of(column) for column in manifest.columns if column.name in also}
    table = pq.read_table(path, columns=list(wanted), use_threads=False)
    path.unlink()
    columns = to_vectors(table, wanted.items())
    del table
    target = contract.target_of(columns)
    keep = present(target, len(target))
    matrix = contract.features_of({item.name: columns[item.name] for item in contract.inputs})
    kept = vector(target.type, target.values[keep], None)
    raw = {name: columns[name] for name in (*(item.name for item in contract.inputs), *also)}
    return Rows(matrix if keep.all() else matrix[keep], to_array(kept, task), len(target), raw, keep)

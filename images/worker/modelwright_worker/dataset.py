"""Reading a dataset version: its manifest by digest, and its splits through the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from modelwright_contract.features import ContractError, FeatureContract
from modelwright_contract.manifests import DatasetManifest, ManifestError
from modelwright_contract.tasks import DatasetReference
from modelwright_contract.vectors import Array, Vector, vector
from modelwright_worker.arrow_columns import to_vectors
from modelwright_worker.context import Context
from modelwright_worker.failures import Told
from modelwright_worker.labels import present, to_array
from modelwright_worker.store import Store, fetch_blob, read_manifest


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a split whose target is present: the matrix, the target, and the first raw rows whatever their target."""

    matrix: NDArray[np.float64]
    target: Array
    rows: int
    raw: Mapping[str, Vector]


def open_dataset(reference: DatasetReference, store: Store) -> tuple[DatasetManifest, FeatureContract]:
    """The pinned version. Raises Told: DatasetNotFound, TargetMissing."""
    content = read_manifest(store, reference.digest)
    if content is None:
        message = f"the dataset version {reference.digest} is not in the store {store.uri}: was it removed there?"
        raise Told("DatasetNotFound", message, retry=True)
    try:
        manifest = DatasetManifest.parse(content)
        contract = FeatureContract.from_json(manifest.contract)
    except (ManifestError, ContractError) as error:
        raise Told("DatasetNotFound", f"the dataset version {reference.digest}: {error}", retry=False) from error
    if contract.target is None:
        message = "the dataset has no target: declare a column with role: target in the Dataset's spec.columns"
        raise Told("TargetMissing", message, retry=False)
    return manifest, contract


def read_split(
    label: str,
    manifest: DatasetManifest,
    contract: FeatureContract,
    task: Literal["classification", "regression"],
    context: Context,
) -> Rows:
    """A split as matrix and target. Raises Told."""
    path = context.places.scratch / f"{label}.parquet"
    if not fetch_blob(context.store, manifest.splits[label], path):
        message = f"the {label} split {manifest.splits[label].digest} is not in the store, or was altered there"
        raise Told("DatasetNotFound", message, retry=True)
    assert contract.target is not None
    wanted = {item.name: item.type for item in (*contract.inputs, *contract.target.inputs)}
    table = pq.read_table(path, columns=list(wanted), use_threads=False)
    path.unlink()
    columns = to_vectors(table, wanted.items())
    del table
    target = contract.target_of(columns)
    keep = present(target, len(target))
    matrix = contract.features_of({item.name: columns[item.name] for item in contract.inputs})
    kept = vector(target.type, target.values[keep], None)
    raw = {item.name: columns[item.name] for item in contract.inputs}
    return Rows(matrix if keep.all() else matrix[keep], to_array(kept, task), len(target), raw)

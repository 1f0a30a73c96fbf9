"""The champion: the model that a Deployment serves, asked about a new model's test rows through its own contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modelwright_contract import moments
from modelwright_contract.features import ContractError, FeatureContract
from modelwright_contract.manifests import Blob, DatasetManifest, ManifestError, ModelManifest
from modelwright_contract.model_archive import ArchiveError, load_model
from modelwright_contract.tasks import Gate, TaskKind
from modelwright_contract.vectors import ValueType, Vector
from modelwright_worker.arrow_columns import CONVERTIBLE
from modelwright_worker.context import Context
from modelwright_worker.dataset import Rows
from modelwright_worker.failures import Told
from modelwright_worker.fitting import Answers, ask
from modelwright_worker.labels import Classes
from modelwright_worker.metrics import Judged, Reals
from modelwright_worker.store import Store, fetch_blob, read_manifest


@dataclass(frozen=True, slots=True)
class Champion:
    """A model of our own store. `called` names it in messages."""

    called: str
    archive: Blob
    contract: FeatureContract
    classes: Classes | None

    def answers(self, rows: Rows, classes: Classes | None, context: Context) -> Judged:
        """What it says of the rows whose target is present, in terms of the new model's `classes`. Raises Told."""
        columns = {item.name: self._typed(item.name, rows.raw[item.name], item.type) for item in self.contract.inputs}
        matrix = self.contract.features_of(columns)[rows.present]
        if not len(matrix):
            return Judged(np.empty(0), np.empty(0), 0 if classes is None else len(classes.values))
        model = self._load(context)
        try:
            said = ask(model, matrix, self.classes)
        except Told as told:
            raise _not_comparable(f"{self.called} fails on the new rows: {told.message}") from told
        if classes is None or self.classes is None:
            return Judged(rows.target, said.predicted, 0)
        return _translated(said, self.classes, rows, classes)

    def _typed(self, name: str, column: Vector, wanted: ValueType) -> Vector:
        if column.type == "number" and wanted == "integer" and np.any(column.as_float() % 1 > 0):
            message = f'{self.called} takes whole numbers in the column "{name}", and the dataset has others now'
            raise _not_comparable(f"{message}: take the gate away for one run")
        return moments.cast(column, wanted)

    def _load(self, context: Context) -> object:
        path = context.places.scratch / "champion.skops"
        if not fetch_blob(context.store, self.archive, path):
            message = f"{self.called}: {self.archive.digest} is not in the store {context.store.uri}, or was altered"
            raise Told("ModelNotFound", message, retry=True)
        try:
            return load_model(path)
        except ArchiveError as error:
            raise _not_comparable(f"{self.called} can't be loaded by this release: {error}") from error
        finally:
            path.unlink()


def open_champions(
    gates: Sequence[Gate], task: TaskKind, dataset: DatasetManifest, store: Store
) -> Mapping[str, Champion]:
    """The champions that gates name, by digest: known to be comparable on this dataset. Raises Told."""
    found: dict[str, Champion] = {}
    for gate in gates:
        if gate.against is not None and gate.against.digest is not None and gate.against.digest not in found:
            name = f"{gate.against.version or gate.against.digest}, which Deployment {gate.against.deployment} serves,"
            found[gate.against.digest] = _open(gate.against.digest, f'gate "{gate.name}": {name}', task, dataset, store)
    return found


def inputs_of(champions: Mapping[str, Champion]) -> frozenset[str]:
    """The raw columns that they read."""
    return frozenset(item.name for champion in champions.values() for item in champion.contract.inputs)


def _open(digest: str, called: str, task: TaskKind, dataset: DatasetManifest, store: Store) -> Champion:
    content = read_manifest(store, digest)
    if content is None:
        message = f"{called} is not in the store {store.uri}: was {digest} removed there?"
        raise Told("ModelNotFound", message, retry=True)
    try:
        manifest = ModelManifest.parse(content)
        contract = FeatureContract.from_json(manifest.contract)
    except (ManifestError, ContractError) as error:
        raise _not_comparable(f"{called} can't be read by this release: {error}") from error
    if manifest.task != task:
        raise _not_comparable(f"{called} is a {manifest.task}, and spec.task is {task}: name another Deployment")
    _require_columns(called, contract, dataset)
    classes = None if manifest.classes is None else Classes(np.array(manifest.classes))
    return Champion(called, manifest.model, contract, classes)


def _require_columns(called: str, contract: FeatureContract, dataset: DatasetManifest) -> None:
    held = {column.name: column.type for column in dataset.columns}
    missing = [item.name for item in contract.inputs if item.name not in held]
    if missing:
        listed = ", ".join(f'"{name}"' for name in missing[:8]) + (", …" if len(missing) > 8 else "")
        message = f"{called} needs the column{'s' if len(missing) > 1 else ''} {listed}, which the dataset has no more"
        remedy = "declare them there with role: id, which keeps them beside the rows, or take the gate away for one run"
        raise _not_comparable(f"{message}: {remedy}")
    for item in contract.inputs:
        if held[item.name] != item.type and (held[item.name], item.type) not in CONVERTIBLE:
            message = f'{called} takes the column "{item.name}" as {item.type}, and the dataset has {held[item.name]}'
            raise _not_comparable(f"{message}: declare its type in the Dataset, or take the gate away for one run")


def _translated(said: Answers, own: Classes, rows: Rows, classes: Classes) -> Judged:
    """A class that the new model does not have is an answer that is wrong; one that the champion lacks it never gives.

    Raises Told where the two have no class in common.
    """
    number = len(classes.values)
    if own.values.dtype.kind != classes.values.dtype.kind or not np.isin(own.values, classes.values).any():
        message = f"its classes are {_listed(own)}, the new model's {_listed(classes)}"
        raise _not_comparable(f"the champion answers something else: {message}: take the gate away for one run")
    codes = classes.codes(own.values)
    probability: Reals | None = None
    if said.probability is not None:
        probability = np.zeros((len(rows.target), number + 1))
        probability[:, codes] = said.probability
        probability = probability[:, :number]
    score = said.score if np.array_equal(own.values, classes.values) else None
    if score is None and number == 2 and probability is not None:
        score = probability[:, 1]
    return Judged(classes.codes(rows.target), classes.codes(said.predicted), number, probability, score)


def _listed(classes: Classes) -> str:
    shown = [str(value) for value in classes.values[:5].tolist()]
    return ", ".join(shown) + (", …" if len(classes.values) > 5 else "")


def _not_comparable(message: str) -> Told:
    return Told("ChampionNotComparable", message, retry=False)

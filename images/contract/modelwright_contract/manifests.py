"""What a dataset version and a model are: canonical JSON documents, named by their digest. No times, no metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from modelwright_contract.canonical import Digest, Json, canonical_bytes, digest_of, hex_of
from modelwright_contract.profile import PROFILE_FILE

DATASET_MEDIA_TYPE = "application/vnd.modelwright.dataset.v1+json"
MODEL_MEDIA_TYPE = "application/vnd.modelwright.model.v1+json"
MODEL_FORMAT = "sklearn-skops"
SPLITS = ("train", "validation", "test")
MAX_MANIFEST_BYTES = 4 << 20
MANIFEST_FILE = "manifest.json"
"""The name of a model's manifest in its directory; the other files' names are those of `ModelManifest.files`."""


class ManifestError(ValueError):
    """A manifest that can't be read."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes by digest; `rows` is None for what holds no rows."""

    digest: Digest
    bytes: int
    rows: int | None = None

    def to_json(self) -> dict[str, Json]:
        """As it stands in a manifest."""
        document: dict[str, Json] = {"digest": self.digest, "bytes": self.bytes}
        return document if self.rows is None else {**document, "rows": self.rows}


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column of the split files. `role` is target, feature, id, or input (read by an expression only)."""

    name: str
    type: str
    role: str


@dataclass(frozen=True, slots=True)
class DatasetManifest:
    """A dataset version."""

    columns: tuple[StoredColumn, ...]
    contract: Mapping[str, Json]
    splits: Mapping[str, Blob]

    @property
    def rows(self) -> int:
        """Rows of all splits."""
        return sum(blob.rows or 0 for blob in self.splits.values())

    @property
    def size_bytes(self) -> int:
        """Bytes of all split files."""
        return sum(blob.bytes for blob in self.splits.values())

    def to_bytes(self) -> bytes:
        """The canonical document."""
        return canonical_bytes(
            {
                "mediaType": DATASET_MEDIA_TYPE,
                "columns": [{"name": c.name, "type": c.type, "role": c.role} for c in self.columns],
                "contract": self.contract,
                "splits": {name: blob.to_json() for name, blob in self.splits.items()},
                "rows": self.rows,
                "bytes": self.size_bytes,
            }
        )

    @staticmethod
    def parse(content: bytes) -> DatasetManifest:
        """From a document. Raises ManifestError."""
        document = _document(content, DATASET_MEDIA_TYPE)
        columns, splits = document.get("columns"), document.get("splits")
        if not isinstance(columns, list) or not isinstance(splits, dict) or set(splits) != set(SPLITS):
            raise ManifestError("not a dataset manifest: columns or splits are lacking")
        return DatasetManifest(
            tuple(_column(column) for column in columns),
            _object(document, "contract"),
            {name: _blob(splits, name) for name in SPLITS},
        )


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output in the words of the Open Inference Protocol; -1 stands for the number of rows."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def to_json(self) -> dict[str, Json]:
        """As it stands in a manifest."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """A model: its archive, golden rows, contract, signature, and what it was made from.

    `classes` holds the labels in the order of the probabilities' columns; it is None for a regression. `onnx` is the
    model once more, in ONNX; most kinds of models have none. `profile` is how its features and answers were spread when
    it was trained; a model that was not trained here may have none.
    """

    task: str
    model: Blob
    golden: Blob
    contract: Mapping[str, Json]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    classes: tuple[str | int | bool, ...] | None
    dataset: Digest
    trainer: Mapping[str, Json]
    seed: int
    tools: Mapping[str, str]
    onnx: Blob | None = None
    profile: Blob | None = None

    @property
    def files(self) -> Mapping[str, Blob]:
        """The files of a model directory, by name, without the manifest itself."""
        files = {"model.skops": self.model, "golden.json": self.golden}
        more = {"model.onnx": self.onnx, PROFILE_FILE: self.profile}
        return files | {name: blob for name, blob in more.items() if blob is not None}

    def to_bytes(self) -> bytes:
        """The canonical document."""
        more = {"onnx": self.onnx, "profile": self.profile}
        optional: dict[str, Json] = {name: blob.to_json() for name, blob in more.items() if blob is not None}
        return canonical_bytes(
            {
                **optional,
                "mediaType": MODEL_MEDIA_TYPE,
                "modelFormat": MODEL_FORMAT,
                "task": self.task,
                "model": self.model.to_json(),
                "golden": self.golden.to_json(),
                "contract": self.contract,
                "signature": {
                    "inputs": [tensor.to_json() for tensor in self.inputs],
                    "outputs": [tensor.to_json() for tensor in self.outputs],
                },
                "classes": None if self.classes is None else list(self.classes),
                "dataset": self.dataset,
                "trainer": self.trainer,
                "seed": self.seed,
                "tools": dict(self.tools),
            }
        )

    @staticmethod
    def parse(content: bytes) -> ModelManifest:
        """From a document. Raises ManifestError."""
        document = _document(content, MODEL_MEDIA_TYPE)
        if document.get("modelFormat") != MODEL_FORMAT:
            raise ManifestError(
                f"model format {str(document.get('modelFormat'))[:40]} is not known here: {MODEL_FORMAT} is"
            )
        task, seed, tools = document.get("task"), document.get("seed"), _object(document, "tools")
        if not isinstance(task, str) or task not in ("classification", "regression") or not isinstance(seed, int):
            raise ManifestError("not a model manifest: task or seed is wrong")
        signature = _object(document, "signature")
        return ModelManifest(
            task=task,
            model=_blob(document, "model"),
            golden=_blob(document, "golden"),
            contract=_object(document, "contract"),
            inputs=_tensors(signature, "inputs"),
            outputs=_tensors(signature, "outputs"),
            classes=_classes(document.get("classes")),
            dataset=_digest(document.get("dataset")),
            trainer=_object(document, "trainer"),
            seed=seed,
            tools={name: str(version) for name, version in tools.items()},
            onnx=_blob(document, "onnx") if "onnx" in document else None,
            profile=_blob(document, "profile") if "profile" in document else None,
        )


def manifest_digest(content: bytes) -> Digest:
    """The digest that names a manifest."""
    return digest_of(content)


def _document(content: bytes, media_type: str) -> Mapping[str, Json]:
    if len(content) > MAX_MANIFEST_BYTES:
        raise ManifestError(f"the manifest has {len(content)} bytes, at most {MAX_MANIFEST_BYTES} are allowed")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise ManifestError("the manifest is no JSON") from None
    if not isinstance(document, dict) or document.get("mediaType") != media_type:
        raise ManifestError(f"not a manifest of type {media_type}")
    return document


def _object(document: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    value = document.get(name)
    if isinstance(value, dict):
        return value
    raise ManifestError(f"the manifest's {name} is lacking or no object")


def _digest(value: Json) -> Digest:
    try:
        hex_of(str(value))
    except ValueError as error:
        raise ManifestError(str(error)) from None
    return Digest(str(value))


def _blob(document: Mapping[str, Json], name: str) -> Blob:
    value = _object(document, name)
    size, rows = value.get("bytes"), value.get("rows")
    if type(size) is not int or size < 0 or not (rows is None or type(rows) is int):
        raise ManifestError(f"the manifest's {name} has no size")
    return Blob(_digest(value.get("digest")), size, rows)


def _column(value: Json) -> StoredColumn:
    match value:
        case {"name": str(name), "type": str(kind), "role": str(role)}:
            return StoredColumn(name, kind, role)
        case _:
            raise ManifestError("a column must have name, type and role")


def _tensors(document: Mapping[str, Json], name: str) -> tuple[TensorSpec, ...]:
    value = document.get(name)
    if not isinstance(value, list):
        raise ManifestError(f"the signature's {name} are lacking")
    out = []
    for item in value:
        match item:
            case {"name": str(label), "datatype": str(datatype), "shape": list(shape)} if all(
                type(n) is int for n in shape
            ):
                out.append(TensorSpec(label, datatype, tuple(shape)))
            case _:
                raise ManifestError(f"the signature's {name} are wrong")
    return tuple(out)


def _classes(value: Json) -> tuple[str | int | bool, ...] | None:
    if value is None:
        return None
    if isinstance(value, list):
        labels = [item for item in value if isinstance(item, str | int)]
        if len(labels) == len(value):
            return tuple(labels)
    raise ManifestError("the manifest's classes must be texts, integers or booleans")

"""What the operator asks of a Job: one task a step, carried as JSON in the environment variable MODELWRIGHT_TASK."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, TypeAdapter, model_validator

from modelwright_contract.border import Border, DecimalText, Digest, Key, Name, Uri

ColumnType = Literal["string", "integer", "number", "boolean", "timestamp"]
ColumnRole = Literal["target", "feature", "id", "ignore"]
Severity = Literal["error", "warn"]
TaskKind = Literal["classification", "regression"]

# The bounds of what users write; the API's schemas are made with the same ones.
MAX_COLUMNS = 256
MAX_ALLOWED = 256
MAX_ALLOWED_CHARS = 256
MAX_EXPRESSION_CHARS = 1024
MAX_CHECKS = 64
MAX_STEPS = 16
MAX_CLASS_CHARS = 128
MAX_PARAMS = 64
MAX_GATES = 16
MAX_METRICS = 16
MAX_SEED = 2**31 - 1
DEFAULT_CONFIDENCE = "0.95"


class StoreLocation(Border):
    """The artifact store; objects of a namespace lie under `<uri>/<namespace>/`."""

    uri: Uri
    endpoint: Uri | None = None
    region: Annotated[str, Field(max_length=64)] | None = None


class Task(Border):
    """What every task says: which step, of which object, under which key, with which store."""

    step: str
    step_version: Annotated[int, Field(ge=1)] = 1
    key: Key
    namespace: Name
    name: Name
    store: StoreLocation


class SourceLocation(Border):
    """Where the rows come from. `format` is told by the name's ending when it is left out.

    `own_keys`: an S3 source is read with the keys of its own Secret, and never with the store's.
    """

    uri: Uri
    format: Literal["csv", "parquet"] | None = None
    endpoint: Uri | None = None
    region: Annotated[str, Field(max_length=64)] | None = None
    own_keys: bool = False


class Column(Border):
    """One declared column: a column of the source, or, with `expression`, one computed row by row."""

    name: Name
    role: ColumnRole = "feature"
    type: ColumnType | None = None
    expression: Annotated[str, Field(min_length=1, max_length=MAX_EXPRESSION_CHARS)] | None = None
    allowed: Annotated[
        tuple[Annotated[str, Field(max_length=MAX_ALLOWED_CHARS)], ...], Field(max_length=MAX_ALLOWED)
    ] = ()
    max_null_fraction: DecimalText | None = None


class RowCount(Border):
    """Bounds of the number of rows, both inclusive."""

    min: Annotated[int, Field(ge=0)] | None = None
    max: Annotated[int, Field(ge=0)] | None = None


class Check(Border):
    """A check of the whole table. `error` stops the version, `warn` lets it pass and says so."""

    name: Name
    row_count: RowCount | None = None
    severity: Severity = "error"


class Split(Border):
    """Percent of rows in each split; a row's split is decided by md5(key || seed), so it never moves."""

    train: Annotated[int, Field(ge=1, le=100)] = 70
    validation: Annotated[int, Field(ge=0, le=99)] = 15
    test: Annotated[int, Field(ge=0, le=99)] = 15
    by: Literal["hash"] = "hash"
    key: Name | None = None
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0

    @model_validator(mode="after")
    def _sum_is_100(self) -> Split:
        total = self.train + self.validation + self.test
        if total != 100:
            raise ValueError(f"spec.split: train + validation + test is {total}, must be 100")
        return self


class IngestTask(Task):
    """Read a source, check it, split it, write a dataset version.

    `previous` is the key of the last reading for the same spec: what has not changed since is not read. `keep_copies`:
    it will be read again, so the store keeps a copy of each file of a source of many.
    """

    step: Literal["ingest"] = "ingest"
    source: SourceLocation
    previous: Key | None = None
    keep_copies: bool = False
    columns: Annotated[tuple[Column, ...], Field(max_length=MAX_COLUMNS)] = ()
    checks: Annotated[tuple[Check, ...], Field(max_length=MAX_CHECKS)] = ()
    split: Split = Split()


class DatasetReference(Border):
    """A dataset version: the digest of its manifest, and where the manifest lies."""

    digest: Digest
    uri: Uri


class EstimatorStep(Border):
    """One step of a scikit-learn Pipeline: an import path from the allow-list, and its parameters."""

    class_path: Annotated[
        str, Field(min_length=1, max_length=MAX_CLASS_CHARS, validation_alias="class", serialization_alias="class")
    ]
    params: Annotated[dict[str, JsonValue], Field(max_length=MAX_PARAMS, default_factory=dict)]


class Champion(Border):
    """The model that a Deployment served when the run began; without a digest, it served none."""

    deployment: Name
    version: Name | None = None
    digest: Digest | None = None


class Gate(Border):
    """A demand on a metric of the test split: bounds, both inclusive, or to be better than the champion's."""

    name: Name
    metric: Name
    min: DecimalText | None = None
    max: DecimalText | None = None
    against: Champion | None = None
    confidence: DecimalText = DEFAULT_CONFIDENCE


class TrainTask(Task):
    """Fit a pipeline on a dataset version, measure it, judge the gates, write a model."""

    step: Literal["train"] = "train"
    dataset: DatasetReference
    task: TaskKind
    pipeline: Annotated[tuple[EstimatorStep, ...], Field(min_length=1, max_length=MAX_STEPS)]
    metrics: Annotated[tuple[Name, ...], Field(max_length=MAX_METRICS)] = ()
    gates: Annotated[tuple[Gate, ...], Field(max_length=MAX_GATES)] = ()
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0


class ModelReference(Border):
    """A model: the digest of its manifest."""

    digest: Digest


class PackageTask(Task):
    """Append a model to the base image and push it."""

    step: Literal["package"] = "package"
    model: ModelReference
    image: Annotated[str, Field(min_length=1, max_length=512, description="target repository, without tag or digest")]
    tag: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
    base_image: Annotated[str, Field(min_length=1, max_length=512, description="server image, by digest")]
    insecure: bool = False


class ScoreTask(Task):
    """Ask a model that is served beside the Job about every row of a dataset version, and write what it says.

    `served` is the name under which its server, of the image `image`, answers; it may take `server_seconds` until it is
    ready. `output` is the one S3 object that is written, with the store's keys and endpoint.
    """

    step: Literal["score"] = "score"
    model: ModelReference
    served: Name
    image: Annotated[str, Field(min_length=1, max_length=640)]
    dataset: DatasetReference
    output: Uri
    server_seconds: Annotated[int, Field(ge=1)] = 600


AnyTask = IngestTask | TrainTask | PackageTask | ScoreTask

_TASKS: TypeAdapter[AnyTask] = TypeAdapter(Annotated[AnyTask, Field(discriminator="step")])


def parse_task(text: str | bytes) -> AnyTask:
    """The task of a Job. Raises pydantic.ValidationError, naming each wrong field."""
    return _TASKS.validate_json(text)

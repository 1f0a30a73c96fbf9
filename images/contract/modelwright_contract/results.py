"""What a Job reports: a summary of at most 3 KiB as termination message, or a failure that a person can act on."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from modelwright_contract.border import Border, Digest, Name, Uri

MAX_SUMMARY_BYTES = 3072
"""Kubernetes keeps 4096 bytes of a termination message; the summary stays well under."""

MAX_MESSAGE_CHARS = 1024
MAX_VIOLATIONS = 5

Bytes = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Figure = Annotated[str, Field(max_length=32)]
"""A metric's value with six significant digits, as text."""

Reason = Literal[
    "SourceNotFound",
    "SourceForbidden",
    "SourceUnreadable",
    "SourceEmpty",
    "ColumnNotFound",
    "TargetNotFound",
    "ColumnTypeMismatch",
    "ExpressionInvalid",
    "CheckFailed",
    "SplitEmpty",
    "StoreUnreachable",
    "StoreForbidden",
    "StoreNotFound",
    "DatasetNotFound",
    "EstimatorNotAllowed",
    "EstimatorNotFound",
    "EstimatorParameterInvalid",
    "EstimatorFailed",
    "TargetSingleClass",
    "TargetMissing",
    "MetricNotApplicable",
    "ChampionNotComparable",
    "ModelNotFound",
    "ModelCheckFailed",
    "ImagePushForbidden",
    "RegistryUnreachable",
    "BaseImageNotFound",
    "DatasetUnfit",
    "RowsRefused",
    "ModelServerFailed",
    "InternalError",
]
"""Why a step failed. Stable: these become condition reasons."""

REASONS: tuple[str, ...] = get_args(Reason)


class Report(Border):
    """A report may carry fields of a later release: they are passed over."""

    model_config = ConfigDict(extra="ignore")

    def to_json(self) -> str:
        """Compact JSON with camelCase names; fields that are None are left out, for room."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


class Violations(Report):
    """Breaches of checks: how many, and the first few as sentences."""

    total: Count = 0
    first: Annotated[tuple[Annotated[str, Field(max_length=256)], ...], Field(max_length=MAX_VIOLATIONS)] = ()


class SplitRows(Report):
    """Rows of each split."""

    train: Count = 0
    validation: Count = 0
    test: Count = 0


class Success(Report):
    """What the summaries of all steps have in common."""

    outcome: Literal["succeeded"] = "succeeded"
    step: str


class IngestSummary(Success):
    """A dataset version was written, or is there still; `digest` is its manifest's, `bytes` that of its split files.

    Of `objects` files of the source so many were `read`; `repeated`: all of this was said by an earlier run already.
    """

    step: Literal["ingest"] = "ingest"
    digest: Digest
    uri: Uri
    rows: Count
    bytes: Bytes
    splits: SplitRows
    columns: Count
    violations: Violations = Violations()
    validated: bool = True
    objects: Count = 0
    read: Count = 0
    repeated: bool = False


class Metrics(Report):
    """Metric values by split."""

    validation: Annotated[dict[Name, Figure], Field(max_length=32, default_factory=dict)]
    test: Annotated[dict[Name, Figure], Field(max_length=32, default_factory=dict)]


class GateResult(Report):
    """How one gate was judged on the test split.

    `gain` is how much better the new model is than the `champion`, negative where it is worse; `gain_at_least` is what
    it is at least, with the gate's confidence. `p_value` is how likely so much evidence of a gain is for a model that
    is no better.
    """

    name: Name
    metric: Name
    value: Figure | None = None
    min: Figure | None = None
    max: Figure | None = None
    champion: Figure | None = None
    gain: Figure | None = None
    gain_at_least: Figure | None = None
    p_value: Figure | None = None
    passed: bool


class TrainSummary(Success):
    """A model was written; `digest` is its manifest's, `bytes` the archive's. `classes` is 0 for regression."""

    step: Literal["train"] = "train"
    digest: Digest
    uri: Uri
    bytes: Bytes
    metrics: Metrics
    gates: Annotated[tuple[GateResult, ...], Field(max_length=32)] = ()
    passed: bool
    classes: Count = 0


class Tensor(Report):
    """One input or output in the words of the Open Inference Protocol; -1 in a shape is the number of rows."""

    name: Name
    datatype: Annotated[str, Field(max_length=16)]
    shape: Annotated[tuple[int, ...], Field(max_length=4)]


class Signature(Report):
    """What a model takes and gives; `omitted` inputs were left out, where all of them have no room."""

    inputs: Annotated[tuple[Tensor, ...], Field(max_length=256)] = ()
    outputs: Annotated[tuple[Tensor, ...], Field(max_length=16)] = ()
    omitted: Count | None = None


class ModelDigest(Report):
    """The digest of a model's manifest."""

    digest: Digest


class Sizes(Report):
    """Bytes of the model archive, of the appended layer, and of all layers of the image."""

    model: Bytes
    layer: Bytes
    image: Bytes


class PackageSummary(Success):
    """An image was pushed; `image` is repository@digest."""

    step: Literal["package"] = "package"
    image: Annotated[str, Field(max_length=640)]
    model: ModelDigest
    sizes: Sizes
    signature: Signature
    golden_rows: Count


class ScoreSummary(Success):
    """Answers were written: one Parquet file at `uri`, whose digest is `digest`."""

    step: Literal["score"] = "score"
    uri: Uri
    rows: Count
    bytes: Bytes
    digest: Digest


class Failure(Report):
    """A step could not be done. `retry`: it may heal without a change of the spec."""

    outcome: Literal["failed"] = "failed"
    reason: Reason
    message: Annotated[str, Field(max_length=MAX_MESSAGE_CHARS)]
    retry: bool
    violations: Violations | None = None


Summary = IngestSummary | TrainSummary | PackageSummary | ScoreSummary

_SUMMARIES: TypeAdapter[Summary] = TypeAdapter(Annotated[Summary, Field(discriminator="step")])


def parse_summary(text: str | bytes) -> Summary | Failure | None:
    """The report in a termination message; None for anything else (empty, cut off, another program's words)."""
    try:
        return _SUMMARIES.validate_json(text)
    except ValidationError:
        pass
    try:
        return Failure.model_validate_json(text)
    except ValidationError:
        return None

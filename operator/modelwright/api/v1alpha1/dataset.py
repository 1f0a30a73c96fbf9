"""Dataset: which data, which columns, which checks, which split."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from modelwright.api.v1alpha1.schema import ListOf, Matches, Observed, Rule, Schema
from modelwright.api.v1alpha1.semantics import pruned
from modelwright.api.v1alpha1.shared import (
    AGE_COLUMN,
    READY_COLUMN,
    REASON_COLUMN,
    Attempt,
    Count,
    Digest,
    EntryName,
    Fraction,
    ImagePullSecrets,
    JsonObject,
    Key,
    Names,
    PrinterColumn,
    Resource,
    Resources,
    Schedule,
    SecretReference,
    ServiceAccountName,
    Status,
    Time,
    TimeZone,
)
from modelwright_contract.tasks import (
    MAX_ALLOWED,
    MAX_ALLOWED_CHARS,
    MAX_CHECKS,
    MAX_COLUMNS,
    MAX_EXPRESSION_CHARS,
    MAX_SEED,
)

Format = Literal["csv", "parquet"]

_SOURCE_URI = (
    r"^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+|pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[^/].*"
    r"|configmap://[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[-._a-zA-Z0-9]+)$"
)
ColumnName = Annotated[
    str, Field(max_length=128), Matches(r"^[^\x00-\x1f\x7f]+$", "must have at least one character and no control ones")
]


class Source(Schema):
    """Where the rows come from."""

    rules: ClassVar = (
        Rule(
            "has(self.format) || self.uri.endsWith('.csv') || self.uri.endsWith('.parquet')",
            "uri ends neither in .csv nor in .parquet; write format: csv or format: parquet",
            field=".format",
        ),
        Rule(
            "!has(self.secretRef) || self.uri.startsWith('s3://')",
            "only an s3:// source takes keys; remove secretRef",
            field=".secretRef",
        ),
    )

    uri: Annotated[
        str,
        Field(max_length=1024),
        Matches(
            _SOURCE_URI,
            "must be s3://bucket/key, pvc://claim/path or configmap://name/key, for example s3://raw/flights.csv",
        ),
        Rule("!self.matches('/[.][.]?(/|$)')", "must not have . or .. as a part of its path; write the path itself"),
    ] = Field(
        description="The file or files to read: `s3://bucket/key`, `pvc://claim/path` (a claim in this namespace) or "
        "`configmap://name/key` (at most 1 MiB, for a start). `*` in the last part of the path takes all files that "
        "fit, in the order of their names: `s3://raw/flights/*.parquet`."
    )
    format: Format | None = Field(
        default=None,
        description="How the files are written: `csv` (with a header line) or `parquet`. Default: by ending.",
    )
    secret_ref: SecretReference | None = Field(
        default=None,
        description="Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN) for an `s3://` "
        "source. Default: the artifact store's keys.",
    )

    @property
    def effective_format(self) -> Format | None:
        """The format that is written, or else the one of the URI's ending."""
        return self.format or ending_format(self.uri)


def ending_format(uri: str) -> Format | None:
    """The format that a URI's ending stands for."""
    if match := re.search(r"\.(csv|parquet)$", uri):
        return "csv" if match[1] == "csv" else "parquet"
    return None


class Refresh(Schema):
    """When the source is read again. What has not changed is not read, and the same content is the same version."""

    rules: ClassVar = (
        Rule(
            "!has(self.timeZone) || has(self.schedule)",
            "timeZone is the schedule's; write a schedule too",
            field=".timeZone",
        ),
    )

    schedule: Schedule | None = Field(
        default=None,
        description='At these times: `"0 * * * *"` is every hour, `"0 3 * * 1"` Mondays at three. Times that come '
        "while the source is still being read, or while the operator is away, count once. The version that is there "
        "stays, and stays Ready, until a new one has passed its checks.",
    )
    time_zone: TimeZone | None = Field(
        default=None, description="Whose clock the schedule means: `Europe/Berlin`. Default: `UTC`."
    )
    token: str = Field(
        default="",
        max_length=128,
        description="Any text; a new one reads the source again, for example a date or a commit: `2026-05-01`. Safe "
        "under GitOps, because it is written in the manifest.",
    )


class Column(Schema):
    """What is known or wanted of one column."""

    name: ColumnName = Field(description="Name of the column, in the source or, with `expression`, of a new one.")
    role: Literal["target", "feature", "id", "ignore"] = Field(
        default="feature",
        description="`target`: what is predicted, at most one. `feature`: what it is predicted from. `id`: kept beside "
        "the rows, never trained on. `ignore`: dropped. Once any column is declared `feature`, only declared columns "
        "are features; otherwise every column that is not declared is one, except those that the target's expression "
        "reads.",
    )
    type: Literal["string", "integer", "number", "boolean", "timestamp"] | None = Field(
        default=None, description="What its values are; values that are not fail the version. Default: the source's."
    )
    expression: Annotated[str, Field(min_length=1, max_length=MAX_EXPRESSION_CHARS)] | None = Field(
        default=None,
        description="How to make the column from others of the same row, in SQL's scalar syntax: "
        "`arr_delay > 15`, `hour(sched_dep)`, `coalesce(distance, 0)`. Served requests go through it too. "
        "Default: the column is read as it is.",
    )
    allowed: Annotated[
        tuple[Annotated[str, Field(max_length=MAX_ALLOWED_CHARS)], ...], Field(max_length=MAX_ALLOWED), ListOf("set")
    ] = Field(default=(), description="The only values that may occur, as text: `[AA, UA, DL]`. Default: any.")
    max_null_fraction: Fraction | None = Field(
        default=None,
        description='The largest fraction of rows that may lack a value: `"0.01"` is one percent, `"0"` none. '
        "Default: any.",
    )


class RowCount(Schema):
    """A bound on the number of rows."""

    rules: ClassVar = (
        Rule("has(self.min) || has(self.max)", "write min, max or both, for example min: 1000"),
        Rule(
            "!has(self.min) || !has(self.max) || self.min <= self.max",
            "min is above max; swap them",
            "'min %d is above max %d; swap them'.format([self.min, self.max])",
        ),
    )

    min: Count | None = Field(default=None, description="At least so many rows.")
    max: Count | None = Field(default=None, description="At most so many rows.")


class Check(Schema):
    """A demand on the data as a whole."""

    name: EntryName = Field(description="Name of the check, quoted when it fails: `enough-rows`.")
    row_count: RowCount = Field(description="Bounds on the number of rows: `{min: 1000}`.")
    severity: Literal["error", "warn"] = Field(
        default="error",
        description="`error`: a failed check stops the version, and the one before stays. `warn`: it passes, and "
        "status.violations says so.",
    )


class Split(Schema):
    """How rows are divided among training, validation and test."""

    rules: ClassVar = (
        Rule(
            "self.train + self.validation + self.test == 100",
            "train + validation + test must be 100",
            "'train + validation + test is %d, must be 100'.format([self.train + self.validation + self.test])",
        ),
    )

    train: int = Field(default=70, ge=1, le=98, description="Percent of rows to fit the model on.")
    validation: int = Field(default=15, ge=1, le=98, description="Percent of rows to choose by, while training.")
    test: int = Field(default=15, ge=1, le=98, description="Percent of rows that only gates and final metrics see.")
    by: Literal["hash"] = Field(
        default="hash",
        description="`hash`: a row's place depends on its own content (or `key`) and `seed` only, so rows keep their "
        "place when others come and go.",
    )
    key: ColumnName | None = Field(
        default=None,
        description="Column whose value decides; rows of the same value stay together: `passenger_id`. Default: the "
        "whole row.",
    )
    seed: int = Field(default=0, ge=0, le=MAX_SEED, description="Another number divides the rows anew.")


class DatasetSpec(Schema):
    """What the dataset should be."""

    source: Source = Field(description="Where the rows come from: `{uri: s3://raw/flights.csv}`.")
    refresh: Refresh | None = Field(
        default=None,
        description='When the source is read again: `{schedule: "0 * * * *", timeZone: Europe/Berlin}` or `{token: '
        '"2026-05-01"}`. Default: after each change of this spec.',
    )
    columns: Annotated[
        tuple[Column, ...],
        Field(max_length=MAX_COLUMNS),
        ListOf("map", "name"),
        Rule(
            "self.filter(column, has(column.role) && column.role == 'target').size() <= 1",
            "only one column can have role: target; give the others role: ignore",
        ),
    ] = Field(
        default=(),
        description="What is known or wanted of columns, by name: "
        "`[{name: late, role: target, expression: arr_delay > 15}]`. The rest is inferred. Their order means nothing. "
        "A TrainingRun needs one `role: target`.",
    )
    checks: Annotated[tuple[Check, ...], Field(max_length=MAX_CHECKS), ListOf("map", "name")] = Field(
        default=(),
        description="What must hold for the data as a whole: `[{name: enough-rows, rowCount: {min: 1000}}]`.",
    )
    split: Split = Field(
        default=Split(),
        description="How rows are divided among training, validation and test: `{train: 80, validation: 10, test: 10, "
        "key: passenger_id}`. Default: 70, 15 and 15 percent by hash.",
    )
    service_account_name: ServiceAccountName = None
    image_pull_secrets: ImagePullSecrets = ()
    resources: Resources = Field(default=Resources(), description="What the Job that reads the source may use.")

    def semantic(self) -> JsonObject:
        """The fields that decide the dataset's content, without defaults, map-lists and sets sorted: for the key."""
        semantic = pruned(self, {"source", "columns", "checks", "split"})
        source = pruned(self.source, {"uri", "format"})
        if self.source.format == ending_format(self.source.uri):
            source.pop("format", None)
        token = {"refresh": {"token": self.refresh.token}} if self.refresh is not None and self.refresh.token else {}
        return semantic | {"source": source} | token


class SplitRows(Observed):
    """Rows of each split."""

    train: Count = Field(default=0, description="Rows to fit on.")
    validation: Count = Field(default=0, description="Rows to choose by.")
    test: Count = Field(default=0, description="Rows to judge on.")


class DatasetVersion(Observed):
    """An immutable, content-addressed version of the data."""

    key: Key = Field(default="", description="The hash of everything in the spec that decided it.")
    spec: Key = Field(default="", description="The same without `refresh`.")
    result: Key = Field(
        default="",
        description="Under which the full result of the last good reading lies in the artifact store; the next one is "
        "compared with it.",
    )
    digest: Digest = Field(description="Digest of the version's manifest: same rows, same digest.")
    uri: str = Field(default="", max_length=1280, description="Where the manifest lies in the artifact store.")
    rows: Count = Field(default=0, description="Number of rows.")
    bytes: Count = Field(default=0, description="Size of its files, in bytes.")
    created_at: Time | None = Field(default=None, description="When the operator saw it first.")
    splits: SplitRows = Field(default=SplitRows(), description="Rows of each split.")


class DatasetVersionRecord(Observed):
    """One line of the history."""

    digest: Digest = Field(description="Digest of the version.")
    rows: Count = Field(default=0, description="Number of rows.")
    created_at: Time | None = Field(default=None, description="When the operator saw it first.")


class RefreshStatus(Observed):
    """How the schedule is kept."""

    last_at: Time | None = Field(default=None, description="The due time for which the source was looked at last.")
    began_at: Time | None = Field(
        default=None, description="When that began, or else when the schedule was seen first; only later times are due."
    )
    next_at: Time | None = Field(default=None, description="When it is due next.")
    objects: Count = Field(default=0, description="Files of the source, when it was looked at last with success.")
    read: Count = Field(default=0, description="How many of them had changed, and were read.")


class Violations(Observed):
    """What checks of severity `warn`, or the last failed try, found."""

    total: Count = Field(default=0, description="How many there are.")
    first: Annotated[tuple[Annotated[str, Field(max_length=512)], ...], Field(max_length=5), ListOf("atomic")] = Field(
        default=(), description="The first five."
    )


class DatasetStatus(Status):
    """What the operator has made of the dataset."""

    version: DatasetVersion | None = Field(default=None, description="The current version, which new runs train on.")
    versions: Annotated[tuple[DatasetVersionRecord, ...], Field(max_length=10), ListOf("atomic")] = Field(
        default=(), description="The last ten versions, newest first."
    )
    refresh: RefreshStatus | None = Field(
        default=None, description="How the schedule is kept; absent without `refresh.schedule`."
    )
    violations: Violations | None = Field(default=None, description="What checks found.")
    attempt: Attempt | None = Field(default=None, description="Failed tries of the current step.")


class Dataset(Resource):
    """Data for training: a source is read, checked, split and kept as an immutable, content-addressed version.

    A TrainingRun names it; editing the spec or `refresh.token`, or new content at a time of `refresh.schedule`, makes a
    new version.
    """

    names: ClassVar = Names("datasets", "dataset", "mds")
    columns: ClassVar = (
        READY_COLUMN,
        PrinterColumn("Rows", "integer", ".status.version.rows", "Rows of the current version."),
        PrinterColumn("Digest", "string", ".status.version.digest", "Digest of the current version.", 1),
        REASON_COLUMN,
        AGE_COLUMN,
    )

    kind: Literal["Dataset"] = "Dataset"
    spec: DatasetSpec
    status: DatasetStatus = DatasetStatus()

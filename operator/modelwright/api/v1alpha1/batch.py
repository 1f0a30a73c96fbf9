"""Scores by the file: a dataset version through the model that is served, at given times or when somebody says so."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from modelwright.api.v1alpha1.schema import ListOf, Matches, Observed, Rule, Schema
from modelwright.api.v1alpha1.shared import Attempt, Count, Duration, ObjectName, Schedule, Time, TimeZone

RECORDS = 10
"""So many batches are remembered."""


class BatchInput(Schema):
    """The rows that are asked about."""

    dataset: ObjectName = Field(
        description="Name of a Dataset in this namespace; all rows of its newest version are asked about. It needs the "
        "columns that the model reads, and no target."
    )


class BatchOutput(Schema):
    """Where the answers go."""

    uri: Annotated[
        str,
        Field(max_length=512),
        Matches(
            r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$",
            "must be s3://bucket/folder, or s3://bucket/file.parquet, for example s3://scores/late-flights",
        ),
    ] = Field(
        description="A folder, in which each batch is a file of its own: `s3://scores/late-flights`. Or, where it ends "
        "in `.parquet`, the one file that each batch replaces. Not within the artifact store. It is written with the "
        "store's endpoint and keys, whole or not at all."
    )


class BatchSpec(Schema):
    """When which rows are asked about, and where the answers go.

    The same model on the same rows to the same place is the same batch: it is done once.
    """

    rules: ClassVar = (
        Rule(
            "has(self.schedule) != has(self.once)",
            "write either schedule, for times at which it is due, or once, for one batch now",
        ),
        Rule(
            "!has(self.timeZone) || has(self.schedule)",
            "timeZone is the schedule's; write a schedule too",
            field=".timeZone",
        ),
    )

    schedule: Schedule | None = Field(
        default=None,
        description='At these times: `"0 4 * * *"` is each day at four. Times that were missed are due once.',
    )
    time_zone: TimeZone | None = Field(
        default=None, description="Whose clock the schedule means: `Europe/Berlin`. Default: `UTC`."
    )
    once: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="One batch now; another value is another one: `2026-05-01`."
    )
    input: BatchInput = Field(description="The rows that are asked about: `{dataset: flights-today}`.")
    output: BatchOutput = Field(description="Where the answers go: `{uri: s3://scores/late-flights}`.")
    active_deadline: Duration | None = Field(
        default=None,
        description="How long one batch may take; then it is ended and tried again. Default: the configuration's, "
        "usually `1h`.",
    )


class BatchRecord(Observed):
    """One batch, from the moment it was due to what came of it."""

    at: Time | None = Field(default=None, description="When it began.")
    key: str = Field(max_length=64, description="The hash of model, rows and place; the file's name has its beginning.")
    version: str = Field(default="", max_length=63, description="Name of the ModelVersion that answered.")
    image: str = Field(default="", max_length=512, description="Its image by digest.")
    model: str = Field(default="", max_length=71, description="Digest of the model, which stands in each row too.")
    dataset: str = Field(default="", max_length=71, description="Digest of the dataset version.")
    uri: str = Field(default="", max_length=640, description="The file.")
    rows: Count = Field(default=0, description="Its rows.")
    bytes: Count = Field(default=0, description="Its size.")
    digest: str = Field(default="", max_length=71, description="Digest of its content.")
    verdict: Literal["", "Scored", "Failed", "Superseded"] = Field(
        default="",
        description="How it ended; empty while it is under way, or waits for somebody to mend what it needs.",
    )
    ended_at: Time | None = Field(default=None, description="When it ended.")


class BatchStatus(Observed):
    """Which batches there were, and when the next one is due."""

    schedule: str = Field(default="", max_length=130, description="The schedule that `nextAt` is of.")
    next_at: Time | None = Field(default=None, description="When the schedule is due next.")
    once: str = Field(default="", max_length=64, description="The value of `once` that was taken up last.")
    due: bool = Field(default=False, description="Whether a batch is due and has not begun.")
    attempt: Attempt | None = Field(default=None, description="The failed tries of the batch that is under way.")
    records: Annotated[tuple[BatchRecord, ...], Field(max_length=RECORDS), ListOf("atomic")] = Field(
        default=(), description="The last ten, newest first."
    )

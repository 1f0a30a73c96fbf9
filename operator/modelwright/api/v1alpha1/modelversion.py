"""ModelVersion: one trained model as a fact, packaged into an image."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from modelwright.api.v1alpha1.schema import ListOf, Observed, Rule, Schema
from modelwright.api.v1alpha1.shared import (
    AGE_COLUMN,
    READY_COLUMN,
    REASON_COLUMN,
    Attempt,
    Count,
    Digest,
    ImagePullSecrets,
    Names,
    ObjectName,
    PrinterColumn,
    Resource,
    Resources,
    ServiceAccountName,
    Status,
    Time,
)  # fmt: skip
from modelwright.api.v1alpha1.trainingrun import Figures, Package


class ModelSource(Schema):
    """Where the model comes from."""

    training_run: ObjectName = Field(
        description="Name of the TrainingRun whose status must list this digest as passed, before the version is Gated."
    )
    digest: Digest | None = Field(
        default=None,
        description="Digest of the model's manifest, from the run's `status.artifact.digest`. Default: that of the "
        "run's model once its gates hold, pinned in status.lineage.model.",
    )


class Approval(Schema):
    """A person's word on whether this version may be served."""

    rules: ClassVar = (
        Rule(
            "!self.approved || has(self.imageDigest)",
            "an approval is of one image; write the digest of status.image in imageDigest",
        ),
    )

    approved: bool = Field(
        description="`true`: it may be served. `false`: it may not, also where policy approves by itself; what is "
        "served already goes back to the last approved version."
    )
    approved_by: str = Field(
        min_length=1,
        max_length=512,
        description="Full user name of whoever says so, as `kubectl auth whoami` shows it: `oidc:ana@example.org`.",
    )
    image_digest: Digest | None = Field(
        default=None, description="Digest of the image that is approved, from the end of `status.image`."
    )
    comment: str = Field(default="", max_length=512, description="Why: `checked against the March data`.")


FIXED = ("model", "source", "package", "serviceAccountName", "imagePullSecrets", "resources")
"""All fields of a ModelVersion's spec but the approval."""


def _unchanged(field: str) -> str:
    # A word of CEL's own, as which it would be no field.
    field = "__package__" if field == "package" else field
    return f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"


class ModelVersionSpec(Schema):
    """Which model, and where its image goes. Only the approval can be changed: another model is another object."""

    rules: ClassVar = (
        Rule(
            " && ".join(_unchanged(field) for field in FIXED),
            "a ModelVersion is a fact, of which only the approval can be changed; create one of another name",
        ),
    )

    model: ObjectName = Field(description="Name of the model that this is a version of: `late-flights`.")
    source: ModelSource = Field(description="Where the model comes from: a run, and the digest of what it made.")
    package: Package = Field(
        default=Package(),
        description="Where the image goes: `{image: registry.example.org/models/late-flights}`. Default: the "
        "configuration's repository.",
    )
    service_account_name: ServiceAccountName = None
    image_pull_secrets: ImagePullSecrets = ()
    resources: Resources = Field(default=Resources(), description="What the packaging Job may use.")
    approval: Approval | None = Field(
        default=None,
        description="Whether it may be served, where policy asks a person: `{approved: true, approvedBy: "
        '"oidc:ana@example.org", imageDigest: "sha256:…"}`. Writing it needs the verb `approve` on modelversions. '
        "docs/approval.md tells all.",
    )


class Tensor(Observed):
    """One input or output, in the terms of the Open Inference Protocol."""

    name: str = Field(max_length=128, description="Its name, for an input the column's.")
    datatype: str = Field(max_length=16, description="`FP64`, `INT64`, `BOOL` or `BYTES`.")
    shape: Annotated[tuple[int, ...], Field(max_length=8), ListOf("atomic")] = Field(
        default=(), description="Its dimensions; -1 is any, usually the number of rows."
    )


class Signature(Observed):
    """What a served request and its answer look like."""

    inputs: Annotated[tuple[Tensor, ...], Field(max_length=512), ListOf("atomic")] = Field(
        default=(), description="The raw columns that are needed."
    )
    outputs: Annotated[tuple[Tensor, ...], Field(max_length=64), ListOf("atomic")] = Field(
        default=(), description="What is answered."
    )
    omitted: Count = Field(default=0, description="Inputs that are not listed, because all of them have no room here.")


class Sizes(Observed):
    """Sizes in bytes."""

    model: Count = Field(default=0, description="The model's archive.")
    layer: Count = Field(default=0, description="The image's layer with the model.")
    image: Count = Field(default=0, description="All layers of the image, as they are pulled.")


class VersionLineage(Observed):
    """What the model was made from."""

    training_run: str = Field(default="", max_length=63, description="Name of the run.")
    dataset: str = Field(default="", max_length=71, description="Digest of the dataset version.")
    model: str = Field(default="", max_length=71, description="Digest of the model.")
    server_image: str = Field(default="", max_length=512, description="The image that the model was appended to.")
    seed: int = Field(default=0, ge=0, description="Seed of the run.")


class ApprovalRecord(Observed):
    """The approval that counted last."""

    by: str = Field(default="", max_length=512, description="The person who approved; empty where policy did.")
    policy: str = Field(default="", max_length=64, description="`automatic` where the namespace's policy approved.")
    at: Time = Field(description="When the operator saw it.")
    until: Time | None = Field(
        default=None, description="When the operator saw that it counts no longer; absent while it does."
    )
    image_digest: str = Field(max_length=71, description="Digest of the image that was approved.")


class ModelVersionStatus(Status):
    """What the operator has made of the version."""

    image: str = Field(
        default="", max_length=512, description="The image by digest: `registry.example.org/models/flights@sha256:…`."
    )
    signature: Signature | None = Field(default=None, description="What a request and its answer look like.")
    sizes: Sizes | None = Field(default=None, description="Sizes in bytes.")
    metrics: Figures = Field(default={}, description="The run's metrics on the test split.")
    lineage: VersionLineage | None = Field(default=None, description="What the model was made from.")
    approval: ApprovalRecord | None = Field(
        default=None, description="Who or what approved the image, and when; `Approved` says whether that counts."
    )
    attempt: Attempt | None = Field(default=None, description="Failed tries of the current step.")


class ModelVersion(Resource):
    """One version of a model: an artifact of a TrainingRun, packaged into a runnable image by digest.

    TrainingRuns make them, people may too; deleting the run or the dataset leaves them as they are.
    """

    names: ClassVar = Names("modelversions", "modelversion", "mver")
    columns: ClassVar = (
        READY_COLUMN,
        PrinterColumn("Model", "string", ".spec.model", "The model that this is a version of."),
        PrinterColumn(
            "Approved",
            "string",
            '.status.conditions[?(@.type=="Approved")].status',
            "Whether a Deployment may serve it.",
        ),
        PrinterColumn("Image", "string", ".status.image", "The image by digest.", 1),
        REASON_COLUMN,
        AGE_COLUMN,
    )

    kind: Literal["ModelVersion"] = "ModelVersion"
    spec: ModelVersionSpec
    status: ModelVersionStatus = ModelVersionStatus()

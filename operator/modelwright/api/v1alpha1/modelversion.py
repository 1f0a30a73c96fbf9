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


class ModelVersionSpec(Schema):
    """Which model, and where its image goes. It cannot be changed: another model is another ModelVersion."""

    rules: ClassVar = (
        Rule("self == oldSelf", "a ModelVersion is a fact and cannot be changed; create one of another name"),
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


class ModelVersionStatus(Status):
    """What the operator has made of the version."""

    image: str = Field(
        default="", max_length=512, description="The image by digest: `registry.example.org/models/flights@sha256:…`."
    )
    signature: Signature | None = Field(default=None, description="What a request and its answer look like.")
    sizes: Sizes | None = Field(default=None, description="Sizes in bytes.")
    metrics: Figures = Field(default={}, description="The run's metrics on the test split.")
    lineage: VersionLineage | None = Field(default=None, description="What the model was made from.")
    attempt: Attempt | None = Field(default=None, description="Failed tries of the current step.")


class ModelVersion(Resource):
    """One version of a model: an artifact of a TrainingRun, packaged into a runnable image by digest.

    TrainingRuns make them, people may too; deleting the run or the dataset leaves them as they are.
    """

    names: ClassVar = Names("modelversions", "modelversion", "mver")
    columns: ClassVar = (
        READY_COLUMN,
        PrinterColumn("Model", "string", ".spec.model", "The model that this is a version of."),
        PrinterColumn("Image", "string", ".status.image", "The image by digest.", 1),
        REASON_COLUMN,
        AGE_COLUMN,
    )

    kind: Literal["ModelVersion"] = "ModelVersion"
    spec: ModelVersionSpec
    status: ModelVersionStatus = ModelVersionStatus()

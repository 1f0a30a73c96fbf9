"""Deployment: a model behind HTTP."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from modelwright.api.v1alpha1.schema import ListOf, Matches, Observed, Rule, Schema
from modelwright.api.v1alpha1.shared import (
    AGE_COLUMN,
    READY_COLUMN,
    REASON_COLUMN,
    Count,
    ImagePullSecrets,
    Names,
    ObjectName,
    PrinterColumn,
    Resource,
    Resources,
    ServiceAccountName,
    Status,
    Time,
)

LATEST = "latest"


class ModelReference(Schema):
    """The model to serve."""

    name: ObjectName = Field(description="Name of the model, as in a TrainingRun's `output.model`: `late-flights`.")
    version: ObjectName = Field(
        default=LATEST,
        description="`latest`: the newest ModelVersion of the model that is Ready and Gated; a newer one is rolled out "
        "by itself. Or the name of a ModelVersion, which then stays.",
    )


class Scaling(Schema):
    """How many servers run."""

    min_replicas: int = Field(default=1, ge=1, le=1000, description="Servers that always run.")


class EnvironmentVariable(Schema):
    """One environment variable of the server."""

    name: Annotated[
        str,
        Field(max_length=128),
        Matches(r"^[A-Za-z_][A-Za-z0-9_]*$", "must be the name of an environment variable, for example LOG_LEVEL"),
        Rule(
            "!self.startsWith('MODELWRIGHT_')",
            "names that begin with MODELWRIGHT_ are set by the operator; choose another",
        ),
    ] = Field(description="Its name: `OMP_NUM_THREADS`.")
    value: str = Field(
        default="",
        max_length=4096,
        description="Its value. Not for secrets: anyone who may read the Deployment reads it.",
    )


class Server(Schema):
    """How a server runs."""

    resources: Resources = Field(default=Resources(), description="What one server may use.")
    env: Annotated[tuple[EnvironmentVariable, ...], Field(max_length=64), ListOf("map", "name")] = Field(
        default=(), description="Environment variables of the server."
    )


class DeploymentSpec(Schema):
    """What should be served, and how.

    A change is rolled out without a failed request: new servers take over once they have made a prediction.
    """

    model: ModelReference = Field(description="The model to serve: `{name: late-flights, version: latest}`.")
    scaling: Scaling = Field(
        default=Scaling(), description="How many servers run: `{minReplicas: 3}`. A server is one Pod. Default: one."
    )
    server: Server = Field(
        default=Server(),
        description="How a server runs: what it may use, and its environment, such as "
        '`{resources: {limits: {memory: 1Gi}}, env: [{name: OMP_NUM_THREADS, value: "1"}]}`.',
    )
    service_account_name: ServiceAccountName = None
    image_pull_secrets: ImagePullSecrets = ()


class StableVersion(Observed):
    """The version that answers requests."""

    model: str = Field(default="", max_length=63, description="Name of the model.")
    version: str = Field(max_length=63, description="Name of the ModelVersion.")
    image: str = Field(default="", max_length=512, description="Its image by digest.")
    replicas: Count = Field(default=0, description="Servers that should run.")
    ready_replicas: Count = Field(default=0, description="Servers that are ready.")


class ServedRecord(Observed):
    """One line of the history."""

    version: str = Field(max_length=63, description="Name of the ModelVersion.")
    image: str = Field(default="", max_length=512, description="Its image by digest.")
    since: Time | None = Field(default=None, description="When it began to answer.")
    until: Time | None = Field(default=None, description="When another took over; absent for the current one.")
    reason: str = Field(default="", max_length=64, description="Why it came: `NewVersion`.")


class DeploymentStatus(Status):
    """What the operator has made of the deployment."""

    url: str = Field(
        default="",
        max_length=512,
        description="Where the model answers inside the cluster; add `/v2/models/<model>/infer`.",
    )
    stable: StableVersion | None = Field(default=None, description="The version that answers requests.")
    history: Annotated[tuple[ServedRecord, ...], Field(max_length=20), ListOf("atomic")] = Field(
        default=(), description="The last twenty versions that were served, newest first."
    )


class Deployment(Resource):
    """A model behind HTTP: servers of a ModelVersion's image, and a Service before them.

    It speaks the Open Inference Protocol v2, and takes raw rows by column name. It goes on serving when the operator
    is down and when dataset, run and version are deleted. Its plural is `modeldeployments`.
    """

    names: ClassVar = Names("modeldeployments", "modeldeployment", "mdeploy")
    columns: ClassVar = (
        READY_COLUMN,
        PrinterColumn("Version", "string", ".status.stable.version", "The version that answers."),
        PrinterColumn("Replicas", "integer", ".status.stable.readyReplicas", "Servers that are ready."),
        PrinterColumn("URL", "string", ".status.url", "Where the model answers."),
        REASON_COLUMN,
        AGE_COLUMN,
    )

    kind: Literal["Deployment"] = "Deployment"
    spec: DeploymentSpec
    status: DeploymentStatus = DeploymentStatus()

"""Deployment: a model behind HTTP."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from modelwright.api.v1alpha1.batch import BatchSpec, BatchStatus
from modelwright.api.v1alpha1.monitoring import DriftFigures, Monitoring
from modelwright.api.v1alpha1.retraining import RetrainingSpec, RetrainingStatus
from modelwright.api.v1alpha1.rollout import CanaryVersion, LiveFigures, Quarantined, Rollout, RolloutProgress
from modelwright.api.v1alpha1.route import Route
from modelwright.api.v1alpha1.scaling import Scaling
from modelwright.api.v1alpha1.schema import ListOf, Observed, Schema
from modelwright.api.v1alpha1.server import Server
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
    ServiceAccountName,
    Status,
    Time,
)

LATEST = "latest"
QUARANTINED = 20
"""So many images are remembered as taken back; the oldest is forgotten."""


class ModelReference(Schema):
    """The model to serve."""

    name: ObjectName = Field(description="Name of the model, as in a TrainingRun's `output.model`: `late-flights`.")
    version: ObjectName = Field(
        default=LATEST,
        description="`latest`: the newest ModelVersion of the model that is Ready, Gated and Approved, and was not "
        "taken back as a canary; a newer one is rolled out by itself. Or the name of a ModelVersion, which then stays, "
        "and must be Approved.",
    )


class DeploymentSpec(Schema):
    """What should be served, and how.

    A change is rolled out without a failed request: new servers take over once they have made a prediction.
    """

    model: ModelReference = Field(description="The model to serve: `{name: late-flights, version: latest}`.")
    scaling: Scaling = Field(
        default=Scaling(),
        description="How many servers run: `{minReplicas: 3}`, or `{minReplicas: 1, maxReplicas: 10, metric: cpu, "
        "target: 80}`. A server is one Pod. Default: one.",
    )
    server: Server = Field(
        default=Server(),
        description="How a server runs: what it may use, and its environment, such as "
        '`{resources: {limits: {memory: 1Gi}}, env: [{name: OMP_NUM_THREADS, value: "1"}]}`.',
    )
    rollout: Rollout = Field(
        default=Rollout(),
        description="How a new version takes over: at once, or step by step and judged: "
        "`{strategy: canary, steps: [{setWeight: 10}, {pause: 10m}, {setWeight: 50}, {pause: 10m}]}`.",
    )
    paused: bool = Field(
        default=False,
        description="While `true` no new version begins to take over, and a canary keeps its step and its weight. "
        "What else the spec changes is rolled out all the same.",
    )
    monitoring: Monitoring = Field(
        default=Monitoring(),
        description="What is watched of the model while it serves: "
        '`{drift: {minEffect: "0.1", window: 1h, minSamples: 100}}`.',
    )
    retraining: RetrainingSpec | None = Field(
        default=None,
        description="When the model is trained anew: "
        "`{triggers: {drift: true, newData: true}, template: {trainingRun: late-flights}}`. Default: never.",
    )
    batch: BatchSpec | None = Field(
        default=None,
        description="Scores by the file: all rows of a dataset, asked of the version that serves: "
        '`{schedule: "0 4 * * *", input: {dataset: flights-today}, output: {uri: s3://scores/late-flights}}`.',
    )
    route: Route | None = Field(
        default=None,
        description="A host under which the model is reached from outside the cluster: "
        "`{host: models.example.org, ingressClassName: nginx}`.",
    )
    service_account_name: ServiceAccountName = None
    image_pull_secrets: ImagePullSecrets = ()


class StableVersion(Observed):
    """The version that answers requests."""

    model: str = Field(default="", max_length=63, description="Name of the model.")
    version: str = Field(max_length=63, description="Name of the ModelVersion.")
    image: str = Field(default="", max_length=512, description="Its image by digest.")
    model_digest: str = Field(
        default="",
        max_length=71,
        description="Digest of the model in the artifact store: what a gate `against` this Deployment compares with.",
    )
    replicas: Count = Field(default=0, description="Servers that should run now, by the spec or its autoscaler.")
    ready_replicas: Count = Field(default=0, description="Servers that are ready.")
    revoked_at: Time | None = Field(
        default=None,
        description="When the operator saw that a person has said no to it; it is being replaced, or has ended.",
    )


class ServedRecord(Observed):
    """One line of the history."""

    version: str = Field(max_length=63, description="Name of the ModelVersion.")
    image: str = Field(default="", max_length=512, description="Its image by digest.")
    since: Time | None = Field(default=None, description="When it began to answer.")
    until: Time | None = Field(default=None, description="When another took over; absent for the current one.")
    reason: str = Field(
        default="",
        max_length=64,
        description="Why it came: `NewVersion`, `ApprovedAgain`, or "
        "why the one before had to go, such as `ApprovalRevoked`.",
    )


class DeploymentStatus(Status):
    """What the operator has made of the deployment."""

    url: str = Field(
        default="",
        max_length=512,
        description="Where the model answers inside the cluster, once it has; add `/v2/models/<model>/infer`.",
    )
    stable: StableVersion | None = Field(default=None, description="The version that answers requests.")
    history: Annotated[tuple[ServedRecord, ...], Field(max_length=20), ListOf("atomic")] = Field(
        default=(), description="The last twenty versions that were served, newest first."
    )
    canary: CanaryVersion | None = Field(
        default=None, description="The version that is being tried beside the stable one; absent while none is."
    )
    rollout: RolloutProgress | None = Field(
        default=None, description="The canary rollout that is under way, or the last one and how it ended."
    )
    quarantined: Annotated[tuple[Quarantined, ...], Field(max_length=QUARANTINED), ListOf("map", "digest")] = Field(
        default=(),
        description="Images that were tried and taken back, newest first; they are not tried again. A new image, or "
        "`spec.rollout.release`, lifts it.",
    )
    drift: DriftFigures | None = Field(
        default=None, description="How far what is asked and answered is from what the version was trained on."
    )
    retraining: RetrainingStatus | None = Field(
        default=None, description="What was trained anew, why, and what came of it."
    )
    batch: BatchStatus | None = Field(default=None, description="Which batches there were, and what came of them.")
    live: LiveFigures | None = Field(default=None, description="What the servers said of themselves last.")


class Deployment(Resource):
    """A model behind HTTP: servers of a ModelVersion's image, and a Service before them.

    It speaks the Open Inference Protocol v2, and takes raw rows by column name. It goes on serving when the operator
    is down and when dataset, run and version are deleted. Its plural is `modeldeployments`.
    """

    names: ClassVar = Names("modeldeployments", "modeldeployment", "mdeploy")
    columns: ClassVar = (
        READY_COLUMN,
        PrinterColumn("Version", "string", ".status.stable.version", "The version that answers."),
        PrinterColumn("Canary", "string", ".status.canary.version", "The version that is being tried.", 1),
        PrinterColumn("Weight", "integer", ".status.canary.weight", "Percent of the requests that it answers."),
        PrinterColumn("Replicas", "integer", ".status.stable.readyReplicas", "Servers that are ready."),
        PrinterColumn("Wanted", "integer", ".status.stable.replicas", "Servers that should run now.", 1),
        PrinterColumn("URL", "string", ".status.url", "Where the model answers."),
        REASON_COLUMN,
        AGE_COLUMN,
    )

    kind: Literal["Deployment"] = "Deployment"
    spec: DeploymentSpec
    status: DeploymentStatus = DeploymentStatus()

"""TrainingRun: which data, which estimator, which metrics and gates, and what comes out."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from modelwright.api.v1alpha1.schema import ListOf, Matches, Observed, Rule, Schema, any_json, literal
from modelwright.api.v1alpha1.semantics import pruned
from modelwright.api.v1alpha1.shared import (
    AGE_COLUMN,
    READY_COLUMN,
    REASON_COLUMN,
    Attempt,
    Count,
    Decimal,
    Digest,
    Duration,
    EntryName,
    ImagePullSecrets,
    ImageRepository,
    JsonObject,
    Key,
    Names,
    ObjectName,
    PrinterColumn,
    Resource,
    Resources,
    SecretReference,
    ServiceAccountName,
    Status,
    Time,
)
from modelwright_contract.border import DECIMAL
from modelwright_contract.metrics import (
    CLASSIFICATION_METRICS,
    DEFAULT_METRICS,
    NOT_COMPARED,
    REGRESSION_METRICS,
    MetricName,
)
from modelwright_contract.tasks import (
    DEFAULT_CONFIDENCE,
    MAX_CLASS_CHARS,
    MAX_GATES,
    MAX_METRICS,
    MAX_PARAMS,
    MAX_SEED,
    MAX_STEPS,
)

PARAMETER_DEPTH = 3
"""Levels of lists and objects in a parameter; scikit-learn's take two, and `{"value": null}` stands for a null."""
Task = Literal["classification", "regression"]


def _fits(metric: str) -> str:
    return f"({metric} in {list(REGRESSION_METRICS)}) == (self.task == 'regression')"


_METRICS_BY_TASK = (
    f"classification has {', '.join(CLASSIFICATION_METRICS)}; regression has {', '.join(REGRESSION_METRICS)}"
)


class DatasetReference(Schema):
    """The dataset to train on."""

    name: ObjectName = Field(description="Name of a Dataset in this namespace.")
    digest: Digest | None = Field(
        default=None,
        description="The version to train on, from the Dataset's `status.version.digest`. Default: the one that is "
        "current when the run begins; status.run.dataset says which.",
    )


class Estimator(Schema):
    """One step of a scikit-learn pipeline."""

    class_: Annotated[
        str,
        Field(max_length=MAX_CLASS_CHARS),
        Matches(
            r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*\.[A-Z][A-Za-z0-9_]*$",
            "must be the import path of a class, for example sklearn.ensemble.HistGradientBoostingClassifier",
        ),
    ] = Field(
        validation_alias="class",
        serialization_alias="class",
        description="Import path of the class, from the allow-list (scikit-learn's estimators and transformers): "
        "`sklearn.preprocessing.StandardScaler`.",
    )
    params: Annotated[
        Mapping[str, object],
        Field(max_length=MAX_PARAMS, json_schema_extra={"additionalProperties": any_json(PARAMETER_DEPTH)}),
    ] = Field(
        default={},
        description='Arguments of its constructor: `{max_iter: 200}`. A null is written `{"value": null}`, because '
        "Kubernetes drops nulls. Lists and objects lie at most three deep. Default: the class's own.",
    )


class Trainer(Schema):
    """What is fitted; exactly one of its fields."""

    estimator: Annotated[tuple[Estimator, ...], Field(min_length=1, max_length=MAX_STEPS), ListOf("atomic")] = Field(
        description="Classes of scikit-learn, fitted in this order as a Pipeline; the last one predicts.",
    )


Confidence = Annotated[
    str,
    Field(max_length=4),
    Matches(r"^0\.([5-8][0-9]?|9[0-9]?)$", 'must be a string from "0.5" to "0.99", for example "0.95"'),
]


class Against(Schema):
    """The model that a new one must beat."""

    deployment: ObjectName = Field(
        description="Name of a Deployment in this namespace; what it serves when the run begins is the champion. Where "
        "it serves nothing yet, the gate passes, and says so."
    )


class Gate(Schema):
    """A demand on a metric of the test split: a bound, or to be better than the champion on the same rows."""

    rules: ClassVar = (
        Rule(
            "(has(self.min) || has(self.max)) != has(self.against)",
            'write min, max or both, for example min: "0.70"; or against alone, for example against: '
            "{deployment: late-flights}",
        ),
        Rule(
            "!has(self.confidence) || has(self.against)",
            "confidence is that of a comparison; write against too, or remove it",
            field=".confidence",
        ),
        Rule(
            f"!has(self.against) || !(self.metric in {sorted(NOT_COMPARED)})",
            "one row decides this metric, so chance can't be told from a gain; compare by another one",
            field=".metric",
        ),
        Rule(
            "!has(self.min) || !has(self.max) || "
            f"!self.min.matches({literal(DECIMAL)}) || !self.max.matches({literal(DECIMAL)}) || "
            "double(self.min) <= double(self.max)",
            "min is above max; swap them",
            "'min %s is above max %s; swap them'.format([self.min, self.max])",
        ),
    )

    name: EntryName = Field(description="Name of the gate, quoted when it fails: `floor`.")
    metric: MetricName = Field(description="The metric that is judged, on the test split.")
    min: Decimal | None = Field(default=None, description='The metric must be at least this: `"0.70"`.')
    max: Decimal | None = Field(default=None, description='The metric must be at most this: `"0.5"`.')
    against: Against | None = Field(
        default=None,
        description="The metric must be better than that of what this Deployment serves, on the same test rows: "
        "`{deployment: late-flights}`. Which side is better is the metric's.",
    )
    confidence: Confidence | None = Field(
        default=None,
        description="How sure it must be that the model is better and not only lucky. One that is no better passes in "
        f'at most the rest of the runs: of `"0.95"` in one of twenty. Default: `"{DEFAULT_CONFIDENCE}"`.',
    )


class Evaluation(Schema):
    """How good is the model, and is it good enough."""

    metrics: Annotated[tuple[MetricName, ...], Field(max_length=MAX_METRICS), ListOf("set")] = Field(
        default=(),
        description="What to compute on the validation and test splits. "
        f"For classification: {', '.join(CLASSIFICATION_METRICS)}; default: "
        f"{', '.join(DEFAULT_METRICS['classification'])}. For regression: {', '.join(REGRESSION_METRICS)}; default: "
        f"{', '.join(DEFAULT_METRICS['regression'])}. The gates' metrics are always added. A metric that is named must "
        "have a value on the test split, or the run fails; one of the defaults that has none is left out.",
    )
    gates: Annotated[tuple[Gate, ...], Field(max_length=MAX_GATES), ListOf("map", "name")] = Field(
        default=(),
        description="All must hold on the test split, or the run is Complete but neither Passed nor Ready, and no "
        "ModelVersion is made. Default: none.",
    )


class Package(Schema):
    """Where a model's image goes."""

    image: ImageRepository | None = Field(
        default=None,
        description="Repository without tag: `registry.example.org/models/late-flights`. Default: the configuration's "
        "repository, `/`, the namespace, `/`, the model.",
    )
    push_secret_ref: SecretReference | None = Field(
        default=None,
        description="Secret (kubernetes.io/dockerconfigjson) to push with. Default: the configuration's.",
    )


class Output(Schema):
    """What becomes of the trained model."""

    model: ObjectName | None = Field(
        default=None,
        description="Name of the model, under which Deployments find its versions. Default: the run's name.",
    )
    create_model_version: bool = Field(
        default=True, description="Make a ModelVersion of a model that passed its gates."
    )
    package: Package = Field(default=Package(), description="Goes into the ModelVersion's `package`.")


class TrainingRunSpec(Schema):
    """What is to be trained. Editing dataset, task, trainer, evaluation, seed or output.model makes a new run."""

    rules: ClassVar = (
        Rule(
            f"!has(self.evaluation) || !has(self.evaluation.metrics) || self.evaluation.metrics.all(m, {_fits('m')})",
            f"a metric does not fit the task; {_METRICS_BY_TASK}",
            field=".evaluation.metrics",
        ),
        Rule(
            "!has(self.evaluation) || !has(self.evaluation.gates) || "
            f"self.evaluation.gates.all(gate, {_fits('gate.metric')})",
            f"a gate's metric does not fit the task; {_METRICS_BY_TASK}",
            field=".evaluation.gates",
        ),
    )

    dataset: DatasetReference = Field(
        description="What to train on: `{name: flights}`, or with `digest` one certain version of it."
    )
    task: Task = Field(description="`classification`: the target is a class. `regression`: the target is a number.")
    trainer: Trainer = Field(
        description="What is fitted: `{estimator: [{class: sklearn.linear_model.Ridge}]}`. Exactly one of its fields."
    )
    evaluation: Evaluation = Field(
        default=Evaluation(),
        description="How the model is measured and judged: "
        '`{metrics: [roc_auc, f1], gates: [{name: floor, metric: roc_auc, min: "0.70"}]}`.',
    )
    retries: int = Field(
        default=2,
        ge=0,
        le=10,
        description="How often a try is made again whose Pod ended without telling why: out of memory, past the "
        "deadline, or crashed; an eviction does not count. A failure that may mend by itself, such as an unreachable "
        "store, is tried again without end, and one that cannot never. Default: 2.",
    )
    active_deadline: Duration | None = Field(
        default=None,
        description="How long one try may take, for example `1h30m`; then it is ended, and status says so. Default: "
        "the configuration's, usually `1h`.",
    )
    suspend: bool = Field(
        default=False, description="While true, nothing is started, and what runs is ended. Default: false."
    )
    seed: int = Field(
        default=0,
        ge=0,
        le=MAX_SEED,
        description="Seed of all randomness: the same seed gives the same model, byte for byte. Default: 0.",
    )
    output: Output = Field(
        default=Output(),
        description="What becomes of the trained model: `{model: late-flights}` names it. Default: a ModelVersion of a "
        "model named like the run.",
    )
    service_account_name: ServiceAccountName = None
    image_pull_secrets: ImagePullSecrets = ()
    resources: Resources = Field(default=Resources(), description="What the training Job may use.")

    def semantic(self, name: str = "") -> JsonObject:
        """The fields that decide the run's result, without defaults: for the key, beside the dataset's digest.

        `name` is the run's own, which is the default of `output.model`.
        """
        semantic = pruned(self, {"task", "trainer", "evaluation", "seed"})
        for gate in _gates(semantic):
            if gate.get("confidence") == DEFAULT_CONFIDENCE:
                del gate["confidence"]
        if self.output.model is not None and self.output.model != name:
            semantic["output"] = {"model": self.output.model}
        return semantic


def _gates(semantic: JsonObject) -> list[JsonObject]:
    evaluation = semantic.get("evaluation")
    gates = evaluation.get("gates") if isinstance(evaluation, dict) else None
    return gates if isinstance(gates, list) else []


class Champion(Observed):
    """What a Deployment served when the run began."""

    deployment: ObjectName = Field(description="Name of the Deployment.")
    exists: bool = Field(default=True, description="Whether there was a Deployment of this name.")
    version: str = Field(default="", max_length=63, description="The ModelVersion; empty where it served none.")
    digest: str = Field(default="", max_length=71, description="Digest of its model in the artifact store.")


class Run(Observed):
    """Which run this status tells of."""

    key: Key = Field(description="The hash of everything that decides the result.")
    dataset: Digest = Field(description="The dataset version that the run is pinned to.")
    champions: Annotated[tuple[Champion, ...], Field(max_length=MAX_GATES), ListOf("map", "deployment")] = Field(
        default=(), description="The models that gates compare with; the run is pinned to them too."
    )
    started_at: Time | None = Field(default=None, description="When the operator began it.")
    completed_at: Time | None = Field(default=None, description="When it ended with a result.")


Figures = Annotated[Mapping[str, Annotated[str, Field(max_length=32)]], Field(max_length=32)]
"""Metric → figure as a decimal string of six significant digits."""


class Metrics(Observed):
    """Metrics by split."""

    validation: Figures = Field(default={}, description='On the validation split: `{roc_auc: "0.712345"}`.')
    test: Figures = Field(default={}, description="On the test split, which gates judge.")


class Compared(Observed):
    """The new model beside the champion, on the same test rows."""

    deployment: str = Field(default="", max_length=63, description="The Deployment that was compared with.")
    version: str = Field(default="", max_length=63, description="The ModelVersion that it served; empty where none.")
    value: str = Field(default="", max_length=32, description="The champion's metric.")
    gain: str = Field(default="", max_length=32, description="By how much the new model is better; negative if worse.")
    gain_at_least: str = Field(
        default="", max_length=32, description="Lower bound of the gain with the gate's confidence, by bootstrap."
    )
    p_value: str = Field(
        default="",
        max_length=32,
        description="How likely so much evidence of a gain is for a model that is no better; at most 1 - confidence.",
    )


class GateResult(Observed):
    """How one gate ended."""

    name: EntryName = Field(description="Name of the gate.")
    metric: str = Field(default="", max_length=64, description="The metric that was judged.")
    value: str = Field(default="", max_length=32, description="What it was.")
    min: str | None = Field(default=None, max_length=32, description="What it had to reach.")
    max: str | None = Field(default=None, max_length=32, description="What it could not exceed.")
    against: Compared | None = Field(default=None, description="The champion's side, where there was one to beat.")
    passed: bool = Field(default=False, description="Whether it held.")


class Artifact(Observed):
    """The trained model in the artifact store."""

    uri: str = Field(default="", max_length=1280, description="Where its manifest lies.")
    digest: Digest = Field(description="Digest of its manifest: same inputs, same digest.")
    bytes: Count = Field(default=0, description="Size of the model's archive, in bytes.")


class DatasetLineage(Observed):
    """The data that was trained on."""

    name: str = Field(default="", max_length=63, description="Name of the Dataset.")
    digest: Digest = Field(description="Its version.")


class RunLineage(Observed):
    """What the model was made from."""

    dataset: DatasetLineage = Field(description="The data.")
    image: str = Field(default="", max_length=512, description="The image that trained it, by digest.")
    seed: int = Field(default=0, ge=0, description="The seed.")


class RunRecord(Observed):
    """One line of the history."""

    key: Key = Field(description="The run's hash.")
    dataset: str = Field(default="", max_length=71, description="Digest of its dataset version.")
    artifact: str = Field(default="", max_length=71, description="Digest of its model.")
    passed: bool = Field(default=False, description="Whether its gates held.")
    completed_at: Time | None = Field(default=None, description="When it ended.")


class TrainingRunStatus(Status):
    """What the operator has made of the run."""

    run: Run | None = Field(default=None, description="The current run.")
    metrics: Metrics | None = Field(default=None, description="How good the model is.")
    gates: Annotated[tuple[GateResult, ...], Field(max_length=16), ListOf("map", "name")] = Field(
        default=(), description="How each gate ended."
    )
    artifact: Artifact | None = Field(default=None, description="The trained model.")
    lineage: RunLineage | None = Field(default=None, description="What it was made from.")
    model_version: str = Field(default="", max_length=63, description="Name of the ModelVersion made of it.")
    history: Annotated[tuple[RunRecord, ...], Field(max_length=10), ListOf("atomic")] = Field(
        default=(), description="The last ten finished runs, newest first."
    )
    attempt: Attempt | None = Field(default=None, description="Failed tries of the current step.")


class TrainingRun(Resource):
    """One training of a model: fitted on a dataset version, measured, judged by gates, kept as an artifact.

    A model that passes becomes a ModelVersion. Editing what decides the result makes a new run; earlier ones stay in
    `status.history`.
    """

    names: ClassVar = Names("trainingruns", "trainingrun", "mrun")
    columns: ClassVar = (
        READY_COLUMN,
        PrinterColumn("Metric", "string", ".status.gates[0].value", "Value of the first gate's metric."),
        PrinterColumn("Passed", "string", '.status.conditions[?(@.type=="Passed")].status', "Whether all gates held."),
        PrinterColumn("Model", "string", ".status.modelVersion", "The ModelVersion made of it."),
        REASON_COLUMN,
        AGE_COLUMN,
    )

    kind: Literal["TrainingRun"] = "TrainingRun"
    spec: TrainingRunSpec
    status: TrainingRunStatus = TrainingRunStatus()

    @property
    def model(self) -> str:
        """The name of the model that the run makes a version of."""
        return self.spec.output.model or self.metadata.name

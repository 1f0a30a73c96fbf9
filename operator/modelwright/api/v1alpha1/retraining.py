"""When a model is trained anew, from which run, and what came of it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from modelwright.api.v1alpha1.schema import ListOf, Observed, Rule, Schema
from modelwright.api.v1alpha1.shared import Count, Duration, ObjectName, Schedule, Time, TimeZone

Trigger = Literal["Drift", "NewData", "Schedule"]


class RetrainingTriggers(Schema):
    """What makes a new run. Each needs a dataset version that was not trained on before."""

    rules: ClassVar = (
        Rule(
            "(has(self.drift) && self.drift) || (has(self.newData) && self.newData) || has(self.schedule)",
            "nothing would ever start a run; write drift: true, newData: true or a schedule",
        ),
        Rule(
            "!has(self.timeZone) || has(self.schedule)",
            "timeZone is the schedule's; write a schedule too",
            field=".timeZone",
        ),
    )

    drift: bool = Field(
        default=False, description="When `Drifted` is True, and the dataset has a version that was not trained on yet."
    )
    new_data: bool = Field(default=False, description="When the dataset has a new version.")
    schedule: Schedule | None = Field(
        default=None,
        description='At these times, where the dataset has a new version by then: `"0 3 * * 1"` is Mondays at three.',
    )
    time_zone: TimeZone | None = Field(
        default=None, description="Whose clock the schedule means: `Europe/Berlin`. Default: `UTC`."
    )


class RetrainingTemplate(Schema):
    """What is trained."""

    training_run: ObjectName = Field(
        description="Name of a TrainingRun in this namespace: its spec is trained anew on the newest version of its "
        "dataset. It must make a version of this Deployment's model (`output.model`)."
    )


class RetrainingSpec(Schema):
    """When the model is trained anew. What comes out passes the run's gates, approval and this Deployment's rollout."""

    triggers: RetrainingTriggers = Field(
        description='What starts a run: `{drift: true, newData: true, schedule: "0 3 * * 1"}`.'
    )
    template: RetrainingTemplate = Field(description="What is trained: `{trainingRun: late-flights}`.")
    cooldown: Duration = Field(
        default="24h", description="How long after one run began the next may begin, whatever asks for it."
    )
    max_attempts: int = Field(
        default=3,
        ge=1,
        le=100,
        description="After so many runs in a row that led to no promoted version, none is begun before a person "
        "changes this spec, or another version is served.",
    )


class RetrainingRecord(Observed):
    """One retraining, from what started it to what came of it."""

    trigger: Trigger = Field(description="What started it.")
    cause: str = Field(default="", max_length=512, description="The same with its figures.")
    at: Time | None = Field(default=None, description="When it began.")
    run: str = Field(max_length=63, description="Name of the TrainingRun.")
    key: str = Field(max_length=64, description="The hash of what it trains on and how; no two retrainings share one.")
    dataset: str = Field(default="", max_length=71, description="Digest of the dataset version.")
    version: str = Field(default="", max_length=63, description="Name of the ModelVersion, once there is one.")
    verdict: Literal["", "Promoted", "GatesFailed", "RunFailed", "PackagingFailed", "RolloutRejected", "Superseded"] = (
        Field(default="", description="How it ended; empty while it is under way.")
    )
    message: str = Field(default="", max_length=1024, description="Why, or what it waits for.")
    ended_at: Time | None = Field(default=None, description="When it ended.")


class RetrainingStatus(Observed):
    """What was trained anew, and what may come."""

    generation: Count = Field(default=0, description="The metadata.generation that `attempts` were counted under.")
    champion: str = Field(default="", max_length=63, description="The ModelVersion that served while they were.")
    attempts: Count = Field(default=0, description="Retrainings in a row that led to no promoted version.")
    dataset: str = Field(default="", max_length=63, description="Name of the Dataset that is trained on.")
    next_at: Time | None = Field(default=None, description="When the schedule is due next.")
    due: bool = Field(default=False, description="Whether the schedule was due and no run has begun since.")
    records: Annotated[tuple[RetrainingRecord, ...], Field(max_length=10), ListOf("atomic")] = Field(
        default=(), description="The last ten, newest first."
    )

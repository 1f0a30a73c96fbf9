"""How a new version takes over: at once, or step by step beside the one that serves, and judged all the while."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from modelwright.api.v1alpha1.schema import ListOf, Matches, Observed, Rule, Schema
from modelwright.api.v1alpha1.shared import Count, Digest, Duration, Fraction, Time

Strategy = Literal["rolling", "canary"]
Latency = Annotated[
    str,
    Field(max_length=8),
    Matches(r"^([1-9][0-9]{0,4}ms|[1-9][0-9]?s)$", "must be milliseconds or seconds up to 99, for example 200ms or 2s"),
]
HeaderName = Annotated[
    str,
    Field(max_length=64),
    Matches(r"^[A-Za-z][A-Za-z0-9-]*$", "must have letters, digits and - only, for example x-user-id"),
]
_WEIGHTS = "self.steps.filter(step, has(step.setWeight)).map(step, step.setWeight)"


class RolloutStep(Schema):
    """One step of a canary: either its share of the requests, or a time to wait."""

    rules: ClassVar = (
        Rule("has(self.setWeight) != has(self.pause)", "write either setWeight or pause, for example {setWeight: 10}"),
    )

    set_weight: int | None = Field(
        default=None, ge=1, le=100, description="Percent of the requests that the new version answers from now on."
    )
    pause: Duration | None = Field(
        default=None,
        description="How long this weight is kept before the next step: `10m`. It also waits until the new version "
        "has answered `analysis.minSamples` requests, or `rollout.progressDeadline` has passed.",
    )


class Analysis(Schema):
    """When the new version is worse than the one that serves.

    Both answer under the same load at the same time. The new one is taken back once there is evidence that it is worse
    than stable, and it is also beyond the limit that stands here. The evidence accounts for the number of requests: a
    version that is as good as stable is taken back in at most one rollout of a hundred.
    """

    max_error_rate: Fraction = Field(
        default="0.001", description='Share of failed requests that is tolerated however stable does: `"0.01"`.'
    )
    max_p99: Latency = Field(
        default="20ms",
        description="Latency (of 99 in 100 requests) that is tolerated however fast stable is: `200ms`. A version that "
        "answers few requests is woken for each, so that a few milliseconds more say nothing.",
    )
    min_agreement: Fraction | None = Field(
        default=None,
        description="Share of requests for which both must answer alike, asked on a sample: the same class, or values "
        'within a thousandth: `"0.9"`. Default: not judged; a better model may well answer otherwise.',
    )
    sample: Fraction = Field(
        default="0.1", description="Share of the new version's requests that stable answers too, to compare."
    )
    min_samples: int = Field(
        default=200,
        ge=20,
        le=1_000_000,
        description="Requests that the new version must have answered before any verdict.",
    )
    window: Duration = Field(default="30s", description="How often the figures are judged.")


class Rollout(Schema):
    """How a new version takes over from the one that serves."""

    rules: ClassVar = (
        Rule(
            "!has(self.steps) || size(self.steps) == 0 || (has(self.strategy) && self.strategy == 'canary')",
            "steps are a canary's; write strategy: canary, or remove them",
        ),
        Rule(
            "!has(self.steps) || size(self.steps) == 0 || has(self.steps[0].setWeight)",
            "the first step must be a weight, for example {setWeight: 10}",
            field=".steps",
        ),
        Rule(
            f"!has(self.steps) || {_WEIGHTS}.isSorted() && self.steps.all(step, !has(step.setWeight) || "
            "self.steps.exists_one(other, has(other.setWeight) && other.setWeight == step.setWeight))",
            "weights must rise from step to step, for example [{setWeight: 10}, {pause: 10m}, {setWeight: 50}]",
            field=".steps",
        ),
        Rule(
            "!has(self.abort) || !((has(self.promote) && self.promote == self.abort) || "
            "(has(self.release) && self.release == self.abort))",
            "abort names the same image as promote or release; remove one of them",
        ),
    )

    strategy: Strategy = Field(
        default="rolling",
        description="`rolling`: its servers replace the old ones as they become ready. `canary`: it first answers a "
        "share of the requests beside the one that serves, step by step, and is promoted or taken back by what "
        "`analysis` finds. A canary's failures cost no request: stable answers what it does not.",
    )
    steps: Annotated[tuple[RolloutStep, ...], Field(max_length=20), ListOf("atomic")] = Field(
        default=(),
        description="Weights and waits, in order: `[{setWeight: 10}, {pause: 10m}, {setWeight: 50}, {pause: 10m}]`. "
        "Weights must rise. Default: 10 percent for 5 minutes, then 50 percent for 5 minutes.",
    )
    analysis: Analysis = Field(
        default=Analysis(), description='When it is worse: `{maxErrorRate: "0.01", maxP99: 200ms, minSamples: 200}`.'
    )
    progress_deadline: Duration = Field(
        default="10m",
        description="How long its servers may take to be ready, and how long a step waits for requests to judge by.",
    )
    deadline: Latency = Field(
        default="1s",
        description="How long a request may take in all. Where the new version has not answered at half of it, "
        "stable does, and that is an error of the new version.",
    )
    sticky_header: HeaderName | None = Field(
        default=None,
        description="Request header whose value decides which of the two answers, so that a user stays with one: "
        "`x-user-id`. Default: each request is drawn by itself, by its request id.",
    )
    allow_incompatible: bool = Field(
        default=False,
        description="Whether a version may take over that does not understand the requests of the one that serves.",
    )
    abort: Digest | None = Field(
        default=None,
        description="Image digest of a version that must not take over: a canary of it is taken back at once, and it "
        "is not tried again. What serves already goes on.",
    )
    promote: Digest | None = Field(
        default=None,
        description="Image digest of a version that takes over without further steps and verdicts, also where it was "
        "taken back before.",
    )
    release: Digest | None = Field(
        default=None,
        description="Image digest, from `status.quarantined`, that is tried once more.",
    )


class CanaryVersion(Observed):
    """The version that is being tried."""

    version: str = Field(max_length=63, description="Name of the ModelVersion.")
    image: str = Field(default="", max_length=512, description="Its image by digest.")
    replicas: Count = Field(default=0, description="Servers that should run now.")
    ready_replicas: Count = Field(default=0, description="Servers that are ready.")
    weight: int = Field(default=0, ge=0, le=100, description="Percent of the requests that it is to answer.")


class SideFigures(Observed):
    """What one of the two did in a span."""

    requests: Count = Field(default=0, description="Requests that it was to answer.")
    errors: Count = Field(default=0, description="Of them, those that it failed; of a canary, stable answered them.")
    slow: Count = Field(default=0, description="Of them, those slower than the span's `slowMicroseconds`.")


class RolloutSpan(Observed):
    """A stretch of the rollout with one weight."""

    generation: Count = Field(default=0, description="Generation of the routing that it is of.")
    weight: int = Field(default=0, ge=0, le=100, description="Percent of the requests that the canary was to answer.")
    slow_microseconds: Count = Field(default=0, description="From where on a request counts as slow.")
    canary: SideFigures = Field(default=SideFigures(), description="What the canary did.")
    stable: SideFigures = Field(default=SideFigures(), description="What stable did at the same time.")
    compared: Count = Field(default=0, description="Requests that both answered.")
    agreed: Count = Field(default=0, description="Of them, those answered alike.")


class MetricFigures(Observed):
    """One metric of both."""

    name: Literal["errorRate", "p99", "agreement"] = Field(
        description="`errorRate`: share of failed requests. `p99`: share of requests above the 99th percentile that "
        "stable had before. `agreement`: share of requests answered alike."
    )
    canary: str = Field(default="", max_length=16, description="The canary's figure.")
    stable: str = Field(default="", max_length=16, description="Stable's figure.")
    certainty: str = Field(default="", max_length=16, description="How near the evidence is to a rejection; 1 is one.")


class RolloutProgress(Observed):
    """The canary rollout that is under way, or the last one."""

    version: str = Field(max_length=63, description="Name of the ModelVersion that is being tried.")
    image: str = Field(default="", max_length=512, description="Its image by digest.")
    step: Count = Field(default=0, description="Which of the weights it is at, from 0.")
    steps: Count = Field(default=0, description="How many weights there are.")
    generation: Count = Field(default=0, description="Generation of the routing that servers have been given.")
    started_at: Time | None = Field(default=None, description="When it began.")
    step_started_at: Time | None = Field(default=None, description="When all servers had this weight; absent before.")
    judged_at: Time | None = Field(
        default=None, description="When the figures of all servers were looked at last, or the weight changed."
    )
    ended_at: Time | None = Field(default=None, description="When the verdict fell.")
    verdict: Literal["", "Promoted", "Rejected", "Superseded"] = Field(
        default="", description="How it ended; empty while it is under way."
    )
    reason: str = Field(
        default="",
        max_length=64,
        description="Why, in one word: `NoWorse`, `ErrorRate`, `Latency`, `Aborted`; docs/canary.md lists them.",
    )
    message: str = Field(default="", max_length=1024, description="Why, with the figures.")
    requests: Count = Field(default=0, description="Requests that the canary was to answer, in all spans.")
    metrics: Annotated[tuple[MetricFigures, ...], Field(max_length=3), ListOf("atomic")] = Field(
        default=(), description="What the verdict stands on."
    )
    spans: Annotated[tuple[RolloutSpan, ...], Field(max_length=40), ListOf("atomic")] = Field(
        default=(), description="The figures of each weight; the last one is of the current weight."
    )


class Quarantined(Observed):
    """An image that was tried and taken back; it is not tried again before `rollout.release` names it anew."""

    digest: Digest = Field(description="Its digest.")
    version: str = Field(default="", max_length=63, description="Name of the ModelVersion.")
    reason: str = Field(default="", max_length=64, description="Why, in one word.")
    message: str = Field(default="", max_length=1024, description="Why, with the figures.")
    at: Time | None = Field(default=None, description="When it was taken back.")
    released: bool = Field(
        default=False,
        description="It was tried on the word of `rollout.release` that is still there; remove that word, and write it "
        "again, to have it tried once more.",
    )


class LiveVersion(Observed):
    """What one version did lately."""

    version: str = Field(max_length=63, description="Name of the ModelVersion.")
    requests_per_second: str = Field(default="", max_length=16, description="Prediction requests a second.")
    error_rate: str = Field(default="", max_length=16, description="Share of them that failed.")
    p50: str = Field(default="", max_length=16, description="Median latency, for example `1.2ms`.")
    p99: str = Field(default="", max_length=16, description="Latency of 99 in 100 requests.")


class LiveFigures(Observed):
    """What the servers said of themselves."""

    at: Time | None = Field(default=None, description="When they were asked.")
    servers: Count = Field(default=0, description="Servers that should answer.")
    reached: Count = Field(default=0, description="Servers that did.")
    versions: Annotated[tuple[LiveVersion, ...], Field(max_length=4), ListOf("atomic")] = Field(
        default=(), description="The last minute, by version."
    )

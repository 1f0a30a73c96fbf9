"""How many servers run, and what makes it more or fewer."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from modelwright.api.v1alpha1.schema import ListOf, Rule, Schema

Replicas = Annotated[int, Field(ge=1, le=1000)]
Metric = Literal["cpu", "memory"]


class ScalingPolicy(Schema):
    """One bound on how fast the number of servers changes."""

    type: Literal["Pods", "Percent"] = Field(description="Whether `value` counts servers, or is percent of them.")
    value: int = Field(ge=1, le=1000, description="By how many the number may change within the period.")
    period_seconds: int = Field(ge=1, le=1800, description="The period.")


class ScalingRules(Schema):
    """How fast the number of servers changes in one direction."""

    stabilization_window_seconds: int | None = Field(
        default=None,
        ge=0,
        le=3600,
        description="Of all numbers that were right in this time the lowest counts upwards, and the highest downwards. "
        "Default: 0 upwards, 300 downwards.",
    )
    select_policy: Literal["Max", "Min", "Disabled"] | None = Field(
        default=None,
        description="Which of several policies counts; `Disabled` stops this direction. Default: `Max`.",
    )
    policies: Annotated[tuple[ScalingPolicy, ...], Field(max_length=8), ListOf("atomic")] = Field(
        default=(),
        description="The bounds: `[{type: Pods, value: 1, periodSeconds: 60}]`. Default: upwards four servers or twice "
        "as many within 15 s, downwards all of them.",
    )


class ScalingBehavior(Schema):
    """How fast the number of servers changes, in the words of a HorizontalPodAutoscaler."""

    scale_up: ScalingRules | None = Field(default=None, description="Upwards: `{stabilizationWindowSeconds: 60}`.")
    scale_down: ScalingRules | None = Field(
        default=None, description="Downwards: `{policies: [{type: Pods, value: 1, periodSeconds: 60}]}`."
    )


class Scaling(Schema):
    """How many servers run: `minReplicas`, or as many as the load needs up to `maxReplicas`."""

    rules: ClassVar = (
        Rule(
            "!has(self.maxReplicas) || self.maxReplicas >= (has(self.minReplicas) ? self.minReplicas : 1)",
            "maxReplicas is below minReplicas; raise it, or lower minReplicas",
        ),
        Rule(
            "has(self.maxReplicas) || !(has(self.metric) || has(self.target) || has(self.behavior))",
            "metric, target and behavior tell when there are more servers than minReplicas; write maxReplicas too, or "
            "remove them",
        ),
    )

    min_replicas: Replicas = Field(
        default=1,
        description="Servers that always run. Of two or more, a node that is being drained takes one at a time. A "
        "single one never holds up a drain: it is ended, answers on for ten seconds while its successor starts "
        "elsewhere, and requests fail for as long as that takes longer.",
    )
    max_replicas: Replicas | None = Field(
        default=None,
        description="Servers at most. Above `minReplicas` a HorizontalPodAutoscaler decides how many run, which needs "
        "metrics-server in the cluster. Default: `minReplicas`.",
    )
    metric: Metric | None = Field(
        default=None,
        description="What is measured, in percent of what a server requests. The memory of a server hardly falls when "
        "requests do. Default: `cpu`.",
    )
    target: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="The percentage that the servers should be at on average; above it more are started. Default: 80.",
    )
    behavior: ScalingBehavior | None = Field(
        default=None,
        description="How fast the number changes, as in a HorizontalPodAutoscaler: "
        "`{scaleDown: {stabilizationWindowSeconds: 600}}`.",
    )

    @property
    def most(self) -> int:
        """Servers at most."""
        return self.max_replicas or self.min_replicas

    @property
    def automatic(self) -> bool:
        """Whether the load decides how many servers run."""
        return self.most > self.min_replicas

    @property
    def measured(self) -> Metric:
        """What the load is measured by."""
        return self.metric or "cpu"

    @property
    def percentage(self) -> int:
        """What the servers should be at on average, in percent of their request."""
        return self.target or 80

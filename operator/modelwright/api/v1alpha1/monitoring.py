"""What is watched of a served model: whether it is asked other things than it was trained on."""

from typing import Annotated

from pydantic import Field

from modelwright.api.v1alpha1.schema import ListOf, Observed, Rule, Schema
from modelwright.api.v1alpha1.shared import Count, Duration, Fraction, Time

TOP = 5
"""So many columns are told with their figures."""
REMEMBERED = 10
"""So many columns that drifted are remembered of each window."""

WindowLength = Annotated[
    Duration,
    Rule(
        # What is no duration has its own rule, and says so there.
        "!self.matches('^([0-9]{1,5}[hms])+$') || "
        "(duration(self) >= duration('5s') && duration(self) <= duration('168h'))",
        "must be from 5s to 168h, for example 1h",
    ),
]
ColumnName = Annotated[str, Field(max_length=256)]


class DriftMonitoring(Schema):
    """When rows that the model is asked count as others than those that it was trained on.

    Servers count rows in the bins of the model's training profile. After each window the counts of all servers together
    are held against the profile's, column by column. A column has drifted when it differs by more than chance explains,
    and by more than `minEffect`, in two of the last three windows.
    """

    min_effect: Fraction = Field(
        default="0.1",
        description="How much a column may differ, as Cohen's w without its bias: 0.1 is small (a mean that moved by a "
        "tenth of a standard deviation, a new value in half a percent of the rows), 0.3 medium, 0.5 large.",
    )
    window: WindowLength = Field(
        default="1h",
        description="How long rows are counted before they are judged: `24h` evens out the hours of the day.",
    )
    min_samples: int = Field(
        default=100,
        ge=20,
        le=1_000_000,
        description="Rows that a window must have; one with fewer is not judged, and leaves the verdict as it is.",
    )


class Monitoring(Schema):
    """What is watched of a served model."""

    drift: DriftMonitoring | None = Field(
        default=None,
        description='Whether its input has drifted: `{minEffect: "0.1", window: 1h, minSamples: 100}`. Default: this, '
        "where the model has a training profile; a model without one is told of only where this is written.",
    )

    @property
    def limits(self) -> DriftMonitoring:
        """As written, or by default."""
        return self.drift or DriftMonitoring()


class ColumnDrift(Observed):
    """One column in the last window that was judged."""

    name: ColumnName = Field(description="Name of the feature, or of the output.")
    effect: str = Field(default="", max_length=16, description="Cohen's w without its bias, from 0 to 2.")
    p_value: str = Field(
        default="",
        max_length=16,
        description="How often chance makes such a difference; adjusted to the number of columns (Benjamini-Hochberg).",
    )
    drifted: bool = Field(default=False, description="Whether both are beyond their limits.")


class DriftWindow(Observed):
    """What was found in one window."""

    at: Time | None = Field(default=None, description="When it ended.")
    samples: Count = Field(default=0, description="Rows in it.")
    features: Annotated[tuple[ColumnName, ...], Field(max_length=REMEMBERED), ListOf("atomic")] = Field(
        default=(), description="Features that had drifted, at most ten."
    )
    predictions: Annotated[tuple[ColumnName, ...], Field(max_length=REMEMBERED), ListOf("atomic")] = Field(
        default=(), description="Outputs that had drifted."
    )


class DriftFigures(Observed):
    """How far what the model is asked, and answers, is from what it was trained on."""

    version: str = Field(max_length=63, description="Name of the ModelVersion.")
    profile: str = Field(default="", max_length=71, description="Digest of its training profile.")
    at: Time | None = Field(default=None, description="When the last window ended that was looked at.")
    samples: Count = Field(default=0, description="Rows in it.")
    features: Annotated[tuple[ColumnDrift, ...], Field(max_length=TOP), ListOf("atomic")] = Field(
        default=(), description="The five features that differ most."
    )
    predictions: Annotated[tuple[ColumnDrift, ...], Field(max_length=TOP), ListOf("atomic")] = Field(
        default=(), description="The outputs, judged apart from the features."
    )
    windows: Annotated[tuple[DriftWindow, ...], Field(max_length=3), ListOf("atomic")] = Field(
        default=(), description="The last three windows that had enough rows, the newest last."
    )

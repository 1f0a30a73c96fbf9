"""What a Deployment's servers say of themselves, as values: read by the edge, judged by reconcilers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from modelwright.analysis.verdict import Side, Span
from modelwright_contract.profile import Profile


@dataclass(frozen=True, slots=True)
class VersionFigures:
    """The last minute of one ModelVersion's servers. Latencies are in seconds, None where nobody asked."""

    requests_per_s: float = 0.0
    error_rate: float = 0.0
    p50_s: float | None = None
    p99_s: float | None = None


@dataclass(frozen=True, slots=True)
class FeatureWindow:
    """What the servers of one version were asked and answered in a stretch of time that is over.

    `rows` are those that were counted: all, or where there were too many a sample of them. `features` and `outputs` are
    their numbers by bin, by the name of the column; the bins are those of the training profile with this digest.
    """

    version: str
    profile: str
    start: datetime
    """A whole number of window lengths since 1970."""
    seconds: float
    rows: int = 0
    features: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    outputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Live:
    """One reading of all Ready servers of a Deployment: `reached` of the `asked` stable ones answered."""

    at: datetime | None = None
    """When they were asked."""
    asked: int = 0
    reached: int = 0
    failure: str = ""
    """Why one of those that were asked did not answer, as a sentence with the Pod's name; empty where all did."""
    generation: int | None = None
    """The lowest routing generation that the reached stable servers apply; None where none was reached."""
    told: int = 0
    """The routing generation that `span` is of: that of `status.rollout` when they were asked."""
    span: Span = field(default_factory=lambda: Span(Side(), Side()))
    """What canary and stable did under `told`, summed over servers and over those that have gone since."""
    unreachable: int = 0
    """Forwarded requests for which no connection to the canary could be made; they are not in `span`."""
    breaker_opened: int = 0
    """How often a stable server stopped to forward under `told`, because too many requests failed in a row."""
    versions: Mapping[str, VersionFigures] = field(default_factory=dict)
    """By the name of the ModelVersion: at most `VERSIONS` of them."""
    windows: tuple[FeatureWindow, ...] = ()
    """The last `WINDOWS` of each version that servers run, oldest first; without those in which nobody was looking."""
    profiled: Mapping[str, str] = field(default_factory=dict)
    """By version, the digest of its training profile, empty where its model has none; only of servers that answered."""
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    """The profiles that `windows` name, by digest; one that could not be read yet is lacking."""


VERSIONS = 4
"""Stable, canary, and those that a rolling update has not replaced yet."""
WINDOWS = 3

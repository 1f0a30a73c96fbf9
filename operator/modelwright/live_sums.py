"""From what servers say, one after the other and each of itself, to what a Deployment's servers did together.

Counters of a server only grow, so a sum over servers keeps, for each Pod, what it counted last. A counter that falls
is another container of the same Pod, which counts from zero: what the one before it counted stays in the sum, as does
what was counted by a Pod that has gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

from modelwright.analysis.verdict import Side, Span
from modelwright.live import VersionFigures
from modelwright.live_document import LiveDocument, Routing, Window

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Everything that is counted under one routing generation."""

    canary_requests: int = 0
    canary_errors: int = 0
    canary_slow: int = 0
    stable_requests: int = 0
    stable_errors: int = 0
    stable_slow: int = 0
    compared: int = 0
    agreed: int = 0
    unreachable: int = 0
    breaker_opened: int = 0

    @classmethod
    def of(cls, routing: Routing) -> Counts:
        """Those of one server."""
        canary, stable = routing.canary, routing.stable
        return cls(
            *(canary.requests, canary.errors, canary.slow),
            *(stable.requests, stable.errors, stable.slow),
            *(routing.compared, routing.agreed, routing.unreachable, routing.breaker_opened),
        )

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, name) + getattr(other, name) for name in _NAMES))

    def fell(self, before: Counts) -> bool:
        """Whether these can't be a later state of the same counters."""
        return any(getattr(self, name) < getattr(before, name) for name in _NAMES)

    def span(self) -> Span:
        """As the analysis wants them. A part is never more than its whole, whatever servers say."""
        return Span(
            _side(self.canary_requests, self.canary_errors, self.canary_slow),
            _side(self.stable_requests, self.stable_errors, self.stable_slow),
            self.compared,
            min(self.agreed, self.compared),
        )


_NAMES = tuple(one.name for one in fields(Counts))


def _side(requests: int, errors: int, slow: int) -> Side:
    return Side(requests, min(errors, requests), min(slow, requests))


@dataclass(frozen=True, slots=True)
class Counted:
    """One Pod: what it counted `last`, and what its containers had counted `before` they ended."""

    last: Counts = Counts()
    before: Counts = Counts()

    def after(self, counts: Counts) -> Counted:
        """The same Pod once it says `counts`."""
        return Counted(counts, self.before + self.last if counts.fell(self.last) else self.before)

    @property
    def sum(self) -> Counts:
        """Of all its containers."""
        return self.before + self.last


@dataclass(frozen=True, slots=True)
class Sums:
    """What was counted under `generation`, by the UID of the Pod that counted it."""

    generation: int = 0
    pods: Mapping[str, Counted] = field(default_factory=dict)

    def after(self, generation: int, said: Mapping[str, Routing]) -> Sums:
        """These once some Pods, by UID, said this; another generation begins anew."""
        pods = dict(self.pods) if generation == self.generation else {}
        for uid, routing in said.items():
            counts = Counts.of(routing)
            # A Pod without counts needs no place: outside of a rollout all are so, however many come and go.
            if routing.newest == generation and (uid in pods or counts != Counts()):
                pods[uid] = pods.get(uid, Counted()).after(counts)
        return Sums(generation, pods)

    def counts(self) -> Counts:
        """Over all Pods, also those that are gone."""
        return sum((counted.sum for counted in self.pods.values()), Counts())


@dataclass(frozen=True, slots=True)
class Minute:
    """The last minute of one server: the windows that it has closed in it, `seconds` long together.

    `latency` counts requests by the (lower, upper) bound of their bucket, in seconds.
    """

    requests: int = 0
    errors: int = 0
    seconds: float = 0.0
    latency: Mapping[tuple[float, float], int] = field(default_factory=dict)

    @classmethod
    def of(cls, document: LiveDocument) -> Minute:
        """As the server tells it."""
        windows, bounds = _last_minute(document), document.latency_bounds_seconds
        latency: Counter[tuple[float, float]] = Counter()
        for window in windows:
            for bucket, number in window.latency:
                latency[bounds[bucket - 1] if bucket else 0.0, bounds[min(bucket, len(bounds) - 1)]] += number
        requests, errors = sum(window.requests for window in windows), sum(window.errors for window in windows)
        return cls(requests, errors, sum(window.seconds for window in windows), latency)


def version_figures(minutes: Iterable[Minute]) -> VersionFigures:
    """What servers of one version did together."""
    requests = errors = 0
    requests_per_s = 0.0
    latency: Counter[tuple[float, float]] = Counter()
    for minute in minutes:
        requests += minute.requests
        errors += minute.errors
        requests_per_s += minute.requests / minute.seconds if minute.seconds else 0.0
        latency.update(minute.latency)
    error_rate = min(1.0, errors / requests) if requests else 0.0
    return VersionFigures(requests_per_s, error_rate, quantile(latency, 0.5), quantile(latency, 0.99))


def quantile(buckets: Mapping[tuple[float, float], int], share: float) -> float | None:
    """The value below which this share of what the buckets, by (lower, upper) bound, count lies; None of nothing.

    In a bucket all are taken to lie evenly, as in Prometheus' `histogram_quantile`.
    """
    rank, below = share * sum(buckets.values()), 0
    for (low, high), number in sorted(buckets.items(), key=lambda item: item[0][::-1]):
        if number and below + number >= rank:
            return low + (high - low) * (rank - below) / number
        below += number
    return None


def _last_minute(document: LiveDocument) -> list[Window]:
    """The closed windows of the last minute, or the last one where it is longer."""
    if not document.windows:
        return []
    number = max(1, round(MINUTE_S / document.windows[-1].seconds))
    recent = [window for window in document.windows if window.id >= document.open_window - 1 - number]
    return recent[-number:]

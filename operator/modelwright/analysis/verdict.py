"""From what canary and stable did under the same load at the same time to a verdict.

A canary is rejected when there is evidence that it is worse than stable, and it is also beyond the user's own limit.
The evidence is the answer to chance: three metrics share one level, so that a canary that is just as good as stable is
rejected in at most LEVEL of all rollouts, however long they are and however often they are looked at. The limit is the
answer to trifles: with enough requests any difference becomes evident, also one that nobody minds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Literal

from modelwright.analysis.evidence import Arms, more_often_than, worse_than_stable

LEVEL = 0.01
ERROR_LEVEL, LATENCY_LEVEL, AGREEMENT_LEVEL = 0.005, 0.003, 0.002
"""How the level is shared: errors are what users feel first."""
SLOW_SHARE = 0.01
"""The share of stable's requests that are slow by definition: those above its 99th percentile."""

Metric = Literal["errorRate", "p99", "agreement"]


@dataclass(frozen=True, slots=True)
class Side:
    """What one side did in a span. `slow` are requests above the span's latency bound, which was fixed before it."""

    requests: int = 0
    errors: int = 0
    slow: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a rollout with one weight. Of `compared` requests that both sides answered, `agreed` agreed."""

    canary: Side
    stable: Side
    compared: int = 0
    agreed: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What the user tolerates, however stable does: shares from 0 to 1. `min_samples` are requests of the canary."""

    max_error_rate: float = 0.0
    max_slow_rate: float = SLOW_SHARE
    min_agreement: float | None = None
    min_samples: int = 200


@dataclass(frozen=True, slots=True)
class Weighed:
    """One metric: `canary` and `stable` are its figures, `certainty` how near it is to rejection, 1 being there."""

    metric: Metric
    canary: float
    stable: float
    certainty: float
    rejected: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """`rejected` by the first metric that speaks against the canary; `enough` once it had its minimum of requests."""

    metrics: tuple[Weighed, ...]
    requests: int
    enough: bool

    @property
    def rejected(self) -> Weighed | None:
        """What speaks against the canary, if anything does and it had its minimum of requests."""
        return next((weighed for weighed in self.metrics if weighed.rejected), None) if self.enough else None


def judge(spans: Sequence[Span], limits: Limits) -> Verdict:
    """What the whole rollout so far says."""
    requests = sum(span.canary.requests for span in spans)
    weighed = [_errors(spans, limits), _latency(spans, limits)]
    if limits.min_agreement is not None:
        weighed.append(_agreement(spans, limits.min_agreement))
    return Verdict(tuple(weighed), requests, requests >= limits.min_samples)


def _errors(spans: Sequence[Span], limits: Limits) -> Weighed:
    arms = [Arms(s.canary.errors, s.canary.requests, s.stable.errors, s.stable.requests) for s in spans]
    return _against_stable("errorRate", arms, limits.max_error_rate, ERROR_LEVEL)


def _latency(spans: Sequence[Span], limits: Limits) -> Weighed:
    arms = [Arms(s.canary.slow, s.canary.requests, s.stable.slow, s.stable.requests) for s in spans]
    return _against_stable("p99", arms, limits.max_slow_rate, LATENCY_LEVEL)


def _against_stable(metric: Metric, arms: Sequence[Arms], tolerated: float, level: float) -> Weighed:
    canary = _rate(sum(one.canary_bad for one in arms), sum(one.canary for one in arms))
    stable = _rate(sum(one.stable_bad for one in arms), sum(one.stable for one in arms))
    certainty = worse_than_stable(arms) / log(1 / level)
    return Weighed(metric, canary, stable, max(0.0, certainty), certainty >= 1 and canary > tolerated)


def _agreement(spans: Sequence[Span], least: float) -> Weighed:
    compared, agreed = sum(span.compared for span in spans), sum(span.agreed for span in spans)
    share = 1.0 if not compared else agreed / compared
    # Of full agreement nothing is "allowed" to differ: one request in ten thousand is.
    allowed = min(max(1 - least, 1e-4), 1 - 1e-4)
    certainty = more_often_than(compared - agreed, compared, allowed) / log(1 / AGREEMENT_LEVEL)
    return Weighed("agreement", share, 1.0, max(0.0, certainty), certainty >= 1 and share < least)


def _rate(part: int, whole: int) -> float:
    return part / whole if whole else 0.0

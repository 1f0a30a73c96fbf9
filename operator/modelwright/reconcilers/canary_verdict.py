"""What the figures say of a canary: the judge's result as a reason, a sentence with figures, and what status shows."""

from collections.abc import Mapping, Sequence
from typing import Final

from modelwright import durations
from modelwright.analysis.verdict import Limits, Metric, Side, Span, Verdict, Weighed, judge
from modelwright.api.v1alpha1.rollout import Analysis, MetricFigures, RolloutSpan, SideFigures

FEWEST: Final = 20
"""Requests that are enough for a verdict once a server has stopped to forward: more come only now and then."""

REASONS: Final[Mapping[Metric, str]] = {"errorRate": "ErrorRate", "p99": "Latency", "agreement": "Agreement"}


def judged(spans: Sequence[RolloutSpan], analysis: Analysis, *, broken: bool) -> Verdict:
    """What all spans say together; `broken` says that servers have stopped to forward, because so much failed."""
    limits = Limits(
        max_error_rate=float(analysis.max_error_rate),
        min_agreement=None if analysis.min_agreement is None else float(analysis.min_agreement),
        min_samples=min(analysis.min_samples, FEWEST) if broken else analysis.min_samples,
    )
    return judge([_counted(span) for span in spans], limits)


def latency_bound_us(analysis: Analysis, stable_p99_s: float | None) -> int:
    """From how many microseconds on an answer is slow: above stable's 99th percentile, and above what is tolerated."""
    return round(max(durations.parse(analysis.max_p99).total_seconds(), stable_p99_s or 0.0) * 1e6)


def fuller(known: RolloutSpan, read: Span) -> RolloutSpan:
    """The span with the counts of whichever has seen more: an operator that began anew, or lost Pods, has seen less."""
    if known.canary.requests + known.stable.requests >= read.canary.requests + read.stable.requests:
        return known
    counted = {"canary": _figures(read.canary), "stable": _figures(read.stable)}
    return known.model_copy(update={**counted, "compared": read.compared, "agreed": read.agreed})


def metrics(verdict: Verdict) -> tuple[MetricFigures, ...]:
    """The metrics as status shows them."""
    return tuple(
        MetricFigures(
            name=one.metric,
            canary=f"{one.canary:.3g}",
            stable=f"{one.stable:.3g}",
            certainty=f"{min(one.certainty, 99):.2g}",
        )
        for one in verdict.metrics
    )


def against(weighed: Weighed, spans: Sequence[RolloutSpan], stable: str, analysis: Analysis) -> str:
    """The sentence that says what speaks against the canary, with both sides' figures; `stable` is a version's name."""
    ours, theirs = sum(span.canary.requests for span in spans), sum(span.stable.requests for span in spans)
    mine, other = percent(weighed.canary), percent(weighed.stable)
    match weighed.metric:
        case "errorRate":
            return f"it failed {mine} of {ours} requests, {stable} {other} of {theirs} at the same time"
        case "p99":
            bound = f"{max(span.slow_microseconds for span in spans) / 1e3:.3g} ms"
            said = f"{mine} of its {ours} answers took longer than {bound}"
            return f"{said}, {other} of {stable}'s {theirs} at the same time"
        case "agreement":
            compared = sum(span.compared for span in spans)
            wanted = percent(float(analysis.min_agreement or 0))
            return f"it answered {mine} of {compared} requests as {stable} did, and {wanted} is wanted"


def so_far(figures: Sequence[MetricFigures], stable: str) -> str:
    """Both sides' figures in a few words, for a canary that is under way; empty where there are none."""
    said = []
    for one in figures:
        mine, other = percent(float(one.canary)), percent(float(one.stable))
        match one.name:
            case "errorRate":
                said.append(f"it failed {mine}, {stable} {other}")
            case "p99":
                said.append(f"slow were {mine}, of {stable}'s {other}")
            case "agreement":
                said.append(f"{mine} were answered alike")
    return ", ".join(said)


def percent(share: float) -> str:
    """A share as people read it."""
    return f"{share * 100:.3g} %"


def _counted(span: RolloutSpan) -> Span:
    return Span(_side(span.canary), _side(span.stable), span.compared, span.agreed)


def _side(figures: SideFigures) -> Side:
    return Side(figures.requests, figures.errors, figures.slow)


def _figures(side: Side) -> SideFigures:
    return SideFigures(requests=side.requests, errors=side.errors, slow=side.slow)

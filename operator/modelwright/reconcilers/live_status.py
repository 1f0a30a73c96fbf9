"""What status shows of the live figures: rounded, and seldom, since every write of it is a write."""

from datetime import datetime, timedelta
from typing import Final

from modelwright.api.v1alpha1.rollout import LiveFigures, LiveVersion
from modelwright.conditions import moment, timestamp
from modelwright.live import Live, VersionFigures

EVERY: Final = timedelta(minutes=1)
"""Status shows newer figures no more often."""


def live_figures(before: LiveFigures | None, live: Live | None, now: datetime) -> LiveFigures | None:
    """What status should say: what it says already, unless that is old, and no longer so."""
    if live is None:
        return before
    at = timestamp(min(live.at or now, now))
    found = LiveFigures(
        at=at,
        servers=live.asked,
        reached=live.reached,
        versions=tuple(_version(name, figures) for name, figures in sorted(live.versions.items())),
    )
    if before is None or before.at is None:
        return found
    young = moment(before.at) <= now < moment(before.at) + EVERY
    return before if young or before.model_copy(update={"at": at}) == found else found


def duration(seconds: float) -> str:
    """A latency as people read it, with two digits."""
    return f"{_two_digits(seconds)}s" if seconds >= 1 else f"{_two_digits(seconds * 1e3)}ms"


def _version(name: str, figures: VersionFigures) -> LiveVersion:
    return LiveVersion(
        version=name,
        requests_per_second=_two_digits(figures.requests_per_s),
        error_rate=_two_digits(figures.error_rate),
        p50="" if figures.p50_s is None else duration(figures.p50_s),
        p99="" if figures.p99_s is None else duration(figures.p99_s),
    )


def _two_digits(number: float) -> str:
    """Never with an exponent."""
    rounded = float(f"{number:.2g}")
    return f"{rounded:.0f}" if rounded >= 10 or rounded == int(rounded) else f"{rounded:.6f}".rstrip("0").rstrip(".")

"""Whether what a Deployment's model is asked and answers has drifted: from closed windows to status and a condition.

All that a verdict stands on is in status: three windows, by the columns that had drifted in them. So an operator that
begins anew goes on where the last one ended, and a window is judged once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from modelwright import durations
from modelwright.analysis.drift import WINDOWS, Finding, findings, lasting, remembered
from modelwright.api.v1alpha1 import Deployment, DeploymentStatus
from modelwright.api.v1alpha1.monitoring import (
    REMEMBERED,
    TOP,
    ColumnDrift,
    DriftFigures,
    DriftMonitoring,
    DriftWindow,
)
from modelwright.children.endpoints import endpoints
from modelwright.conditions import Report, moment, timestamp
from modelwright.live import FeatureWindow, Live
from modelwright.plan import Event
from modelwright_contract.profile import Column, Profile

DRIFTED = "Drifted"
_PATIENCE = timedelta(minutes=5)
"""Servers that do not tell their figures for less than this are no news."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What the condition `Drifted` says, and what a pass keeps and tells for its sake; without a reason nothing."""

    status: DriftFigures | None = None
    holds: bool = False
    reason: str = ""
    message: str = ""
    events: tuple[Event, ...] = ()

    @property
    def drifted(self) -> str | None:
        """What has drifted, where something has."""
        return self.message if self.holds else None

    def tell(self, report: Report) -> None:
        """As a condition, where there is something to say."""
        if self.reason:
            report.mark(DRIFTED, self.holds, self.reason, self.message)


def drift(resource: Deployment, status: DeploymentStatus, live: Live | None, now: datetime) -> Drift:
    """Judges the windows that have closed since the last pass.

    `status` is what the pass is about to write. Another version has another profile, so with it all begins anew.
    """
    stable, limits = status.stable, resource.spec.monitoring.limits
    if stable is None:
        return Drift()
    before, profile = status.drift, _profile(resource, live, stable.version)
    figures = before if before is not None and before.version == stable.version else None
    if profile == "":
        return _without_profile(resource, stable.version)
    if live is None:
        # The operator has just begun: what it said holds until servers were asked.
        return _unchanged(resource, figures)
    if figures is None:
        if profile is None and before is None and not _is_asked_for(resource):
            return Drift()
        figures = DriftFigures(version=stable.version)
    for window in live.windows:
        if window.version == stable.version and window.profile in live.profiles:
            figures = _after(figures, window, live.profiles[window.profile], limits, now)
    since = status.history[0].since if status.history else None
    return _told(resource, figures, _verdict(figures, limits, live, since))


def _profile(resource: Deployment, live: Live | None, version: str) -> str | None:
    """The digest of its training profile, empty where it has none; None where nobody knows yet."""
    if "management" not in endpoints(resource).ports:
        return ""
    return live.profiled.get(version) if live is not None else None


def _without_profile(resource: Deployment, version: str) -> Drift:
    if not _is_asked_for(resource):
        return Drift()
    words = f"{version} has no training profile, so nobody knows what it was trained on"
    return _told(resource, None, (False, "NoProfile", f"{words}; serve a version that was trained here"))


def _unchanged(resource: Deployment, figures: DriftFigures | None) -> Drift:
    said = resource.status.condition(DRIFTED)
    if said is None or (figures is None and said.reason != "NoProfile"):
        return Drift()
    return Drift(figures, said.status == "True", said.reason, said.message)


def _is_asked_for(resource: Deployment) -> bool:
    """Whether somebody counts on it, so that it must be told why there is none."""
    retraining = resource.spec.retraining
    return resource.spec.monitoring.drift is not None or (retraining is not None and retraining.triggers.drift)


def _after(
    before: DriftFigures, window: FeatureWindow, profile: Profile, limits: DriftMonitoring, now: datetime
) -> DriftFigures:
    """The figures once the window was looked at; the same where it was before."""
    end = window.start + timedelta(seconds=window.seconds)
    if before.profile != window.profile:
        before = DriftFigures(version=before.version, profile=window.profile)
    # A clock that was put back must not keep windows from being judged.
    if before.at is not None and moment(before.at) <= now and end <= moment(before.at):
        return before
    few = window.rows < limits.min_samples
    if few and before.at is not None and not _is_judged(before):
        # One more of these is no news, and worth no write.
        return before
    looked_at = before.model_copy(update={"at": timestamp(end), "samples": window.rows})
    return looked_at if few else _judged(looked_at, window, profile, limits)


def _is_judged(figures: DriftFigures) -> bool:
    """Whether the last window that was looked at had enough rows."""
    return bool(figures.windows) and figures.windows[-1].at == figures.at


def _judged(before: DriftFigures, window: FeatureWindow, profile: Profile, limits: DriftMonitoring) -> DriftFigures:
    least = float(limits.min_effect)
    features = _compared(profile.features, window.features, least)
    predictions = _compared(profile.outputs, window.outputs, least)
    found = DriftWindow(
        at=before.at,
        samples=window.rows,
        features=_drifted(features, [one.features for one in before.windows]),
        predictions=_drifted(predictions, [one.predictions for one in before.windows]),
    )
    windows = (*before.windows, found)[-WINDOWS:]
    return before.model_copy(
        update={
            "windows": windows,
            "features": _top(features, lasting([one.features for one in windows])),
            "predictions": _top(predictions, lasting([one.predictions for one in windows])),
        }
    )


def _compared(columns: Sequence[Column], counts: Mapping[str, tuple[int, ...]], least: float) -> tuple[Finding, ...]:
    """Columns whose counts fit; servers may say anything."""
    fitting = [column for column in columns if len(counts.get(column.name, ())) == len(column.counts)]
    profile = {column.name: column.counts for column in fitting}
    return findings(profile, {column.name: counts[column.name] for column in fitting}, least)


def _drifted(found: tuple[Finding, ...], before: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return remembered((one.column for one in found if one.drifted), before, REMEMBERED)


def _top(found: tuple[Finding, ...], lasting_: tuple[str, ...]) -> tuple[ColumnDrift, ...]:
    """Those that the verdict stands on first."""
    return tuple(
        ColumnDrift(name=one.column, effect=f"{one.effect:.3f}", p_value=f"{one.p_value:.2g}", drifted=one.drifted)
        for one in sorted(found, key=lambda one: one.column not in lasting_)[:TOP]
    )


def _verdict(figures: DriftFigures, limits: DriftMonitoring, live: Live, since: str | None) -> tuple[bool, str, str]:
    """Whether something has drifted, the reason, and the sentence; the version answers `since` then."""
    features = lasting([one.features for one in figures.windows])
    predictions = lasting([one.predictions for one in figures.windows])
    often = f"in two of the last three windows of {limits.window}"
    if features:
        answers = f"; predictions differ too: {_named(predictions, figures.predictions)}" if predictions else ""
        words = f"{_named(features, figures.features)}: other than in the training data {often}{answers}"
        return True, "Drifted", words
    if predictions:
        words = f"{_named(predictions, figures.predictions)}: answers are other than after training {often}"
        return True, "PredictionDrifted", f"{words}, though no feature is"
    if live.asked and not live.reached and _is_overdue(figures.at or since, limits, live):
        return False, "FiguresUnreachable", f"no window can be judged: {live.failure}"
    if figures.at is None:
        return False, "FirstWindow", f"the first window of {limits.window} over {figures.version} has not ended yet"
    if not _is_judged(figures):
        words = f"the window until {figures.at} had {figures.samples} rows; one is judged from {limits.min_samples} on"
        return False, "TooFewRequests", words
    return False, "NoDrift", _calm(figures)


def _is_overdue(last: str | None, limits: DriftMonitoring, live: Live) -> bool:
    """Whether a window should have ended long since."""
    if last is None or live.at is None:
        return False
    return live.at - moment(last) > max(3 * durations.parse(limits.window), _PATIENCE)


def _calm(figures: DriftFigures) -> str:
    greatest = max((*figures.features, *figures.predictions), key=lambda one: float(one.effect), default=None)
    words = f"{figures.samples} rows until {figures.at} are as the training data"
    return words if greatest is None else f"{words}; {greatest.name} differs most, w = {greatest.effect}"


def _named(columns: tuple[str, ...], known: tuple[ColumnDrift, ...]) -> str:
    """The columns, those with figures first, as `distance (w = 0.31, p = 2e-12)`."""
    figures = {one.name: f" (w = {one.effect}, p = {one.p_value})" for one in known}
    ranked = sorted(columns, key=lambda name: (name not in figures, name))
    words = ", ".join(f"{name[:80]}{figures.get(name, '')}" for name in ranked[:TOP])
    return f"{words} and {len(ranked) - TOP} more" if len(ranked) > TOP else words


def _told(resource: Deployment, figures: DriftFigures | None, verdict: tuple[bool, str, str]) -> Drift:
    """With an Event where the verdict is another one than before."""
    holds, reason, message = verdict
    before = resource.status.condition(DRIFTED)
    was = before is not None and before.status == "True"
    events: tuple[Event, ...] = ()
    if holds and (before is None or not was or before.reason != reason):
        events = (Event("Warning", reason, message),)
    elif was and not holds:
        events = (Event("Normal", reason, message),)
    return Drift(figures, holds, reason, message, events)

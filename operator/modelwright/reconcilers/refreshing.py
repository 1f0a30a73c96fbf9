"""When a Dataset's source is looked at again by its schedule, and how that is told; the version stays meanwhile."""

from datetime import datetime, timedelta
from typing import assert_never

from modelwright import keys, schedules
from modelwright.api.v1alpha1 import Dataset
from modelwright.api.v1alpha1.dataset import Refresh, RefreshStatus
from modelwright.api.v1alpha1.shared import Attempt
from modelwright.children.job import job_name
from modelwright.conditions import Report, moment, timestamp
from modelwright.reconcilers import steps
from modelwright.view import View
from modelwright_contract.results import IngestSummary, Success

REFRESHING = "Refreshing"
UTC = "UTC"
SOON = timedelta(seconds=1)
"""What is due at once is begun in a pass of its own."""


def schedule_problem(resource: Dataset) -> str | None:
    """What is wrong with the schedule, and what to write instead."""
    refresh = resource.spec.refresh
    if refresh is None or refresh.schedule is None:
        return None
    problem = schedules.problem(refresh.schedule, refresh.time_zone or UTC)
    return None if problem is None else f"spec.refresh: {problem}"


def is_scheduled(resource: Dataset) -> bool:
    """Whether the source is read again by the clock."""
    return resource.spec.refresh is not None and resource.spec.refresh.schedule is not None


def reads_again(resource: Dataset) -> bool:
    """Whether the spec has the source read more than once."""
    refresh = resource.spec.refresh
    return refresh is not None and bool(refresh.schedule or refresh.token)


def on_time(resource: Dataset, view: View, now: datetime) -> RefreshStatus | None:
    """How the schedule is kept as of now: a time that has come is begun, unless an earlier one is still being read.

    However many times were missed, the first of them is begun and the others are past: so the same due time has the
    same key in every pass.
    """
    refresh = resource.spec.refresh
    if refresh is None or refresh.schedule is None:
        return None
    status = resource.status.refresh or RefreshStatus(began_at=timestamp(now))
    began = min(moment(status.began_at), now) if status.began_at is not None else now
    due = _next(refresh, began)
    if due <= now and not _is_being_read(resource, status, view):
        return status.model_copy(
            update={"last_at": timestamp(due), "began_at": timestamp(now), "next_at": timestamp(_next(refresh, now))}
        )
    return status.model_copy(update={"began_at": timestamp(began), "next_at": timestamp(due)})


def begun(resource: Dataset, summary: Success, now: datetime) -> RefreshStatus | None:
    """The schedule after the spec was read as it is; due at once where that was another time, and is only repeated."""
    refresh = resource.spec.refresh
    if refresh is None or refresh.schedule is None or schedule_problem(resource):
        return None
    following = timestamp(_next(refresh, now))
    repeated = isinstance(summary, IngestSummary) and summary.repeated
    return RefreshStatus(last_at=timestamp(now) if repeated else None, began_at=timestamp(now), next_at=following)


def spec_key(resource: Dataset) -> str:
    """What in the spec decides what a version holds: all but when it is read."""
    return keys.ingest({name: value for name, value in resource.spec.semantic().items() if name != "refresh"})


def is_of_this_spec(resource: Dataset) -> bool:
    """Whether the version that is there is of this spec, but for when it was read."""
    version = resource.status.version
    return version is not None and version.spec == spec_key(resource)


def key_of(resource: Dataset, status: RefreshStatus) -> str:
    """The key of the reading for the due time that has begun last."""
    return keys.ingest(resource.spec.semantic(), status.last_at)


def is_done(resource: Dataset) -> bool:
    """Whether nothing is to be read: no time was due yet, or what was read for the last one is the version's result."""
    status, version = resource.status.refresh, resource.status.version
    if status is None or status.last_at is None or version is None:
        return True
    return version.result == key_of(resource, status)


def next_look(resource: Dataset, now: datetime) -> timedelta | None:
    """How long until there is something to be done by the clock; None where there is nothing."""
    status = resource.status.refresh
    if status is None or status.next_at is None:
        return None
    left = moment(status.next_at) - now
    # A time that has come while the source is read waits for the end of that, which tells itself.
    return left if left > timedelta() else None


def tell_idle(report: Report, resource: Dataset) -> None:
    """The condition between two readings."""
    status = resource.status.refresh
    if status is None:
        return
    if not is_done(resource):
        report.mark(REFRESHING, True, "Refreshing", "the source was read under this spec before, and is looked at anew")
    elif status.last_at is None:
        report.mark(REFRESHING, False, "NotStarted", f"the source is looked at again at {status.next_at}")
    else:
        changed = f"{status.read} of {status.objects} files had changed"
        report.mark(REFRESHING, False, "Refreshed", f"looked at for {status.last_at}: {changed}")


def tell(report: Report, step: steps.Step, progress: steps.Progress, failed: Attempt | None, version: str) -> None:
    """The condition while the source is read again. What keeps it from being read is an Event too, once.

    `failed` is how the last try ended, for this due time or one before: it stays said until one succeeds.
    """
    match progress:
        case steps.GivenUp(attempt=failed):
            holds, reason, words = False, failed.reason, failed.message
        case steps.Working(reason=reason) if failed is not None and reason in (failed.reason, step.doing):
            holds, reason, words = True, failed.reason, f"{failed.message}; it is tried again"
        case steps.Working(reason=reason, message=words):
            holds = True
        case steps.Succeeded():
            raise AssertionError("what has succeeded is told as the version")
        case _:
            assert_never(progress)
    if reason == step.doing:
        report.mark(REFRESHING, holds, reason, words)
    else:
        report.mark(REFRESHING, holds, reason, f"{words}; version {version[:19]} stays", tell=True)


def _is_being_read(resource: Dataset, status: RefreshStatus, view: View) -> bool:
    """Whether there is a Job whose end is not known yet: what it found is never passed over for a newer due time."""
    job = view.job(job_name(resource, key_of(resource, status))) if not is_done(resource) else None
    known = resource.status.attempt
    return job is not None and (known is None or known.job != job["metadata"]["uid"])


def _next(refresh: Refresh, after: datetime) -> datetime:
    assert refresh.schedule is not None
    return schedules.next_after(refresh.schedule, refresh.time_zone or UTC, after)

"""A Dataset: read, checked, split, and kept as an immutable version; looked at again when it is due."""

from datetime import datetime

from modelwright import keys
from modelwright.api.v1alpha1 import Dataset, DatasetStatus
from modelwright.api.v1alpha1.dataset import (
    DatasetVersion,
    DatasetVersionRecord,
    RefreshStatus,
    SplitRows,
    Violations,
)
from modelwright.api.v1alpha1.shared import Attempt
from modelwright.children.job import ingest_job, job_name, job_resources
from modelwright.conditions import Report
from modelwright.config import Config
from modelwright.plan import Event, Plan
from modelwright.reconcilers import refreshing, steps
from modelwright.reconcilers.ceilings import above
from modelwright.reconcilers.conclude import conclude
from modelwright.reconcilers.refreshing import REFRESHING
from modelwright.view import Topic, View
from modelwright_contract.results import IngestSummary
from modelwright_contract.tasks import IngestTask

HISTORY = 10
VALIDATED = "Validated"
CHECK_FAILED = "CheckFailed"


def references(resource: Dataset) -> frozenset[Topic]:
    """A Dataset stands on no other object."""
    return frozenset()


def reconcile(resource: Dataset, view: View, now: datetime) -> Plan:
    """One Job for each set of semantic fields; the version that it makes stays until the next one is there."""
    report = Report(resource.status.conditions, resource.metadata.generation, now)
    config, status = view.config, resource.status
    key = keys.ingest(resource.spec.semantic())
    if status.version is not None and status.version.key == key:
        return _refreshed(resource, report, view, now)
    refusal = above(job_resources(resource, config.defaults.ingest), config.ceilings, "spec.resources")
    if refusal and not steps.is_under_way(view, job_name(resource, key)):
        report.stalled("ResourcesAboveCeiling", refusal)
        _mark_waiting(report, resource, status, None)
        return conclude(resource, report, status)
    asked = task(resource, key, config)
    step = steps.Step(asked, ingest_job(resource, asked, config), "Ingesting")
    progress = steps.advance(step, resource, view, now)
    if isinstance(progress, steps.Succeeded):
        read = _with_reading(resource, key, progress)
        return _fulfilled(_with(read, refreshing.begun(read, progress.summary, now)), report, view, now)
    status = status.model_copy(update={"violations": _violations(status, progress)})
    failed = progress.attempt

    def mark(report: Report, status: DatasetStatus) -> None:
        _mark_waiting(report, resource, status, failed)

    return steps.carry_on(resource, report, status, step, progress, view, mark=mark)


def task(resource: Dataset, key: str, config: Config) -> IngestTask:
    """What the ingest Job is asked; of a spec that was read before, only for what has changed since."""
    spec, version = resource.spec.model_dump(mode="json", by_alias=True, exclude_none=True), resource.status.version
    source = {
        "uri": resource.spec.source.uri,
        "format": resource.spec.source.format,
        "endpoint": config.store.endpoint or None,
        "region": config.store.region,
        "ownKeys": resource.spec.source.secret_ref is not None,
    }
    return IngestTask.model_validate(
        {
            **steps.task_header(resource, key, keys.INGEST_VERSION, config),
            "source": source,
            "previous": version.result if version is not None and refreshing.is_of_this_spec(resource) else None,
            "keepCopies": refreshing.reads_again(resource),
            **{field: spec[field] for field in ("columns", "checks", "split") if field in spec},
        }
    )


def _refreshed(resource: Dataset, report: Report, view: View, now: datetime) -> Plan:
    """The version is what the spec asks for. It stays, and is Ready, while the source is looked at when it is due."""
    refresh = refreshing.on_time(resource, view, now) if not refreshing.schedule_problem(resource) else None
    resource = _with(resource, refresh)
    if refresh is None or refreshing.is_done(resource):
        return _fulfilled(resource, report, view, now)
    config, status = view.config, resource.status
    refusal = above(job_resources(resource, config.defaults.ingest), config.ceilings, "spec.resources")
    key = refreshing.key_of(resource, refresh)
    asked = task(resource, key, config)
    step = steps.Step(asked, ingest_job(resource, asked, config), "Refreshing")
    known = steps.Known(resource.metadata.generation, status.attempt, status.condition(REFRESHING))
    progress = steps.resume(step, known, view, now)
    if refusal and isinstance(progress, steps.Working) and progress.children:
        progress = steps.Working("ResourcesAboveCeiling", refusal, progress.attempt, stalled=True)
    if isinstance(progress, steps.Succeeded):
        read = _with_reading(resource, key, progress)
        summary = _summary(progress)
        looked = refresh.model_copy(update={"objects": summary.objects, "read": summary.read})
        return _fulfilled(_with(read, looked), report, view, now, *_news(resource, read))
    return _under_way(resource, report, step, progress, view, now)


def _fulfilled(resource: Dataset, report: Report, view: View, now: datetime, *events: Event) -> Plan:
    status, version = resource.status, _version(resource)
    status = status.model_copy(update={"attempt": None, "violations": _violations(status, None)})
    if problem := refreshing.schedule_problem(resource):
        report.stalled("ScheduleInvalid", problem)
        report.mark(REFRESHING, False, "ScheduleInvalid", problem)
    else:
        report.ready("Succeeded", _told(version))
        refreshing.tell_idle(report, resource)
    _mark_validated(report, status)
    return conclude(
        resource,
        report,
        status,
        deletions=steps.superseded(resource, view, job_name(resource, version.result or version.key)),
        events=events,
        requeue_after=refreshing.next_look(resource, now) if refreshing.is_done(resource) else refreshing.SOON,
    )


def _under_way(
    resource: Dataset,
    report: Report,
    step: steps.Step,
    progress: steps.Working | steps.GivenUp,
    view: View,
    now: datetime,
) -> Plan:
    """The version that is there stays Ready. What the last reading failed with stays said until one succeeds."""
    status, version = resource.status, _version(resource)
    found = progress.violations
    violations = status.violations if found is None else Violations(total=found.total, first=found.first)
    status = status.model_copy(update={"attempt": progress.attempt or status.attempt, "violations": violations})
    report.ready("Succeeded", _told(version))
    said = resource.status.condition(VALIDATED)
    failed = status.attempt is not None and status.attempt.reason == CHECK_FAILED
    if said is not None and said.reason == CHECK_FAILED and not failed:
        report.mark(VALIDATED, False, CHECK_FAILED, said.message)
    else:
        _mark_validated(report, status)
    refreshing.tell(report, step, progress, status.attempt, version.digest)
    working = progress if isinstance(progress, steps.Working) else None
    times = (refreshing.next_look(resource, now), working.requeue_after if working is not None else None)
    deletions = (*(working.deletions if working is not None else ()), *steps.superseded(resource, view, step.job.name))
    return conclude(
        resource,
        report,
        status,
        children=working.children if working is not None else (),
        deletions=deletions,
        requeue_after=min((time for time in times if time is not None), default=None),
    )


def _with(resource: Dataset, refresh: RefreshStatus | None) -> Dataset:
    return resource.model_copy(update={"status": resource.status.model_copy(update={"refresh": refresh})})


def _with_reading(resource: Dataset, key: str, done: steps.Succeeded) -> Dataset:
    """The Dataset after a reading under `key`: of the same content, the version is the one of before."""
    status, summary = resource.status, _summary(done)
    before = status.version if status.version is not None and status.version.digest == summary.digest else None
    splits = SplitRows(train=summary.splits.train, validation=summary.splits.validation, test=summary.splits.test)
    version = DatasetVersion(
        key=keys.ingest(resource.spec.semantic()),
        spec=refreshing.spec_key(resource),
        result=key,
        digest=summary.digest,
        uri=summary.uri,
        rows=summary.rows,
        bytes=summary.bytes,
        created_at=before.created_at if before is not None else done.finished_at,
        splits=splits,
    )
    versions = status.versions
    if before is None:
        entry = DatasetVersionRecord(digest=summary.digest, rows=summary.rows, created_at=done.finished_at)
        earlier = tuple(known for known in versions if known.digest != summary.digest)
        versions = (entry, *earlier)[:HISTORY]
    update = {
        "version": version,
        "versions": versions,
        "violations": Violations(total=summary.violations.total, first=summary.violations.first),
        "attempt": None,
    }
    return resource.model_copy(update={"status": status.model_copy(update=update)})


def _summary(done: steps.Succeeded) -> IngestSummary:
    assert isinstance(done.summary, IngestSummary), f"the {done.summary.step} step's result is another step's"
    return done.summary


def _news(before: Dataset, after: Dataset) -> tuple[Event, ...]:
    """An Event where looking again has made a new version."""
    old, new = _version(before), _version(after)
    if old.digest == new.digest:
        return ()
    return (Event("Normal", "NewVersion", f"{_told(new)}, after {old.rows} of {old.digest[:19]}"),)


def _version(resource: Dataset) -> DatasetVersion:
    version = resource.status.version
    assert version is not None
    return version


def _told(version: DatasetVersion) -> str:
    return f"version {version.digest[:19]} has {version.rows} rows"


def _violations(status: DatasetStatus, progress: steps.Working | steps.GivenUp | None) -> Violations | None:
    """What a failed check found is told until that failure is past; it says nothing of the version that is there."""
    if progress is not None and progress.violations is not None:
        return Violations(total=progress.violations.total, first=progress.violations.first)
    past = progress is None or progress.attempt is None or progress.attempt.reason != CHECK_FAILED
    return None if past and status.attempt is not None and status.attempt.reason == CHECK_FAILED else status.violations


def _mark_waiting(report: Report, resource: Dataset, status: DatasetStatus, failed: Attempt | None) -> None:
    """The conditions while the spec as it is has no version.

    Where nothing but `refresh.token` is new, and the checks failed, the version that is there is what can be had: it is
    Ready.
    """
    _mark_validated(report, status)
    version = status.version
    if version is not None and refreshing.is_of_this_spec(resource) and failed and failed.reason == CHECK_FAILED:
        report.ready("Succeeded", f"{_told(version)}; the newest data failed its checks, see Validated")
    if refreshing.is_scheduled(resource):
        report.mark(REFRESHING, False, "NotStarted", "it begins once the spec as it is has a version")


def _mark_validated(report: Report, status: DatasetStatus) -> None:
    attempt = status.attempt
    if attempt is not None and attempt.reason == CHECK_FAILED:
        report.mark(VALIDATED, False, "CheckFailed", attempt.message)
    elif status.version is None:
        report.mark(VALIDATED, False, "NotStarted", "no data has been checked yet")
    elif status.violations is not None and status.violations.total:
        report.mark(VALIDATED, True, "ChecksPassed", f"with {status.violations.total} warnings, see status.violations")
    else:
        report.mark(VALIDATED, True, "ChecksPassed", "every check of severity error holds")

"""A Dataset: read, checked, split, and kept as an immutable version."""

from datetime import datetime

from modelwright import keys
from modelwright.api.v1alpha1 import Dataset, DatasetStatus
from modelwright.api.v1alpha1.dataset import DatasetVersion, DatasetVersionRecord, SplitRows, Violations
from modelwright.children.job import ingest_job, job_name, job_resources
from modelwright.conditions import Report
from modelwright.config import Config
from modelwright.plan import Plan
from modelwright.reconcilers import steps
from modelwright.reconcilers.ceilings import above
from modelwright.reconcilers.conclude import conclude
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
        violations = _violations(status, None)
        return _fulfilled(resource, report, status.model_copy(update={"attempt": None, "violations": violations}), view)
    refusal = above(job_resources(resource, config.defaults.ingest), config.ceilings, "spec.resources")
    if refusal and not steps.is_under_way(view, job_name(resource, key)):
        report.stalled("ResourcesAboveCeiling", refusal)
        _mark_validated(report, status)
        return conclude(resource, report, status)
    asked = task(resource, key, config)
    step = steps.Step(asked, ingest_job(resource, asked, config), "Ingesting")
    progress = steps.advance(step, resource, view, now)
    if isinstance(progress, steps.Succeeded) and isinstance(progress.summary, IngestSummary):
        return _fulfilled(resource, report, _with_version(status, key, progress.summary, progress.finished_at), view)
    if not isinstance(progress, steps.Succeeded):
        status = status.model_copy(update={"violations": _violations(status, progress)})
    return steps.carry_on(resource, report, status, step, progress, view, mark=_mark_validated)


def task(resource: Dataset, key: str, config: Config) -> IngestTask:
    """What the ingest Job is asked."""
    spec = resource.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
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
            **{field: spec[field] for field in ("columns", "checks", "split") if field in spec},
        }
    )


def _fulfilled(resource: Dataset, report: Report, status: DatasetStatus, view: View) -> Plan:
    version = status.version
    assert version is not None
    report.ready("Succeeded", f"version {version.digest[:19]} has {version.rows} rows")
    _mark_validated(report, status)
    return conclude(
        resource, report, status, deletions=steps.superseded(resource, view, job_name(resource, version.key))
    )


def _with_version(status: DatasetStatus, key: str, summary: IngestSummary, finished_at: str) -> DatasetStatus:
    splits = SplitRows(train=summary.splits.train, validation=summary.splits.validation, test=summary.splits.test)
    version = DatasetVersion(
        key=key,
        digest=summary.digest,
        uri=summary.uri,
        rows=summary.rows,
        bytes=summary.bytes,
        created_at=finished_at,
        splits=splits,
    )
    entry = DatasetVersionRecord(digest=summary.digest, rows=summary.rows, created_at=finished_at)
    earlier = tuple(known for known in status.versions if known.digest != summary.digest)
    return status.model_copy(
        update={
            "version": version,
            "versions": (entry, *earlier)[:HISTORY],
            "violations": Violations(total=summary.violations.total, first=summary.violations.first),
            "attempt": None,
        }
    )


def _violations(status: DatasetStatus, progress: steps.Working | steps.GivenUp | None) -> Violations | None:
    """What a failed check found is told until that failure is past; it says nothing of the version that is there."""
    if progress is not None and progress.violations is not None:
        return Violations(total=progress.violations.total, first=progress.violations.first)
    past = progress is None or progress.attempt is None or progress.attempt.reason != CHECK_FAILED
    return None if past and status.attempt is not None and status.attempt.reason == CHECK_FAILED else status.violations


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

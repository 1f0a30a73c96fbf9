"""Batches: when one is due, of which model and which rows it is, how far it has come, and what came of it.

A batch is known by its key: the model, the dataset version, and where the answers go. What is remembered of it lies in
`status.batch`, so that an operator that starts anew goes on where the last one stopped. It is of what is served, and
ends with it: no version that a person has said no to, and none on trial, answers a batch.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from modelwright import durations, keys, schedules
from modelwright.api.v1alpha1 import Dataset, Deployment, DeploymentStatus
from modelwright.api.v1alpha1.batch import RECORDS, BatchRecord, BatchSpec, BatchStatus
from modelwright.api.v1alpha1.deployment import StableVersion
from modelwright.children.deployment import SERVER
from modelwright.children.job import job_name, scoring_job
from modelwright.conditions import Report, moment, timestamp
from modelwright.config import Config
from modelwright.plan import Child, Ref
from modelwright.reconcilers import steps
from modelwright.reconcilers.approval import may_serve
from modelwright.view import Topic, View
from modelwright_contract.results import ScoreSummary
from modelwright_contract.tasks import ScoreTask

BATCH = "Batch"
DOING = "Scoring"
SERVER_FAILED = "ModelServerFailed"
SUFFIX = ".parquet"


@dataclass(frozen=True, slots=True)
class Told:
    """What the condition says."""

    reason: str
    message: str
    holds: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """The status that a pass leaves, and what it does for a batch's sake."""

    status: BatchStatus | None
    told: Told | None = None
    children: tuple[Child, ...] = ()
    deletions: tuple[Ref, ...] = ()
    again: timedelta | None = None

    def tell(self, report: Report) -> None:
        """The condition, and an Event where it changes."""
        if self.told is not None:
            report.mark(BATCH, self.told.holds, self.told.reason, self.told.message, tell=True)


def references(resource: Deployment) -> frozenset[Topic]:
    """The dataset that is asked about."""
    spec = resource.spec.batch
    return frozenset({("Dataset", resource.metadata.namespace, spec.input.dataset)} if spec is not None else ())


def batch(
    resource: Deployment, status: DeploymentStatus, view: View, now: datetime, refused: tuple[str, str] | None = None
) -> Batch:
    """Begins what is due, follows what has begun. `status` is what the pass is about to write.

    `refused` is the reason and the sentence of what keeps the spec from being followed: nothing begins then.
    """
    spec = resource.spec.batch
    if spec is None:
        return Batch(None, deletions=steps.superseded(resource, view, ""))
    known = status.batch or BatchStatus()
    if wrong := _wrong(resource, spec, view.config):
        return Batch(known, wrong, deletions=steps.superseded(resource, view, ""))
    known = _on_time(known, spec, now)
    found = _looked_after(resource, spec, status, known, view, now, refused)
    next_at = found.status.next_at if found.status is not None else None
    times = (found.again, moment(next_at) - now if next_at is not None else None)
    return replace(found, again=min((time for time in times if time is not None), default=None))


def _wrong(resource: Deployment, spec: BatchSpec, config: Config) -> Told | None:
    """What of the spec can't be followed, whatever the cluster is like."""
    if spec.schedule is not None:
        problem = schedules.problem(spec.schedule, spec.time_zone or "UTC")
        if problem is not None:
            return Told("ScheduleInvalid", f"spec.batch: {problem}")
    store = config.store.uri.rstrip("/")
    if f"{spec.output.uri}/".startswith(f"{store}/"):
        words = f"spec.batch.output.uri: {spec.output.uri} lies in the artifact store {store}; write another folder"
        return Told("InvalidSpec", words)
    return None


def _on_time(status: BatchStatus, spec: BatchSpec, now: datetime) -> BatchStatus:
    """The status with the schedule's next time, and whether a batch is due; of many missed times, once."""
    if spec.schedule is None:
        asked = spec.once is not None and spec.once != status.once
        return status.model_copy(update={"schedule": "", "next_at": None, "due": asked})
    zone = spec.time_zone or "UTC"
    written = f"{spec.schedule} {zone}"
    following = timestamp(schedules.next_after(spec.schedule, zone, now))
    known = moment(status.next_at) if status.next_at is not None and status.schedule == written else None
    if known is None or known > moment(following):
        return status.model_copy(update={"schedule": written, "next_at": following})
    if known <= now:
        return status.model_copy(update={"next_at": following, "due": True})
    return status


def _looked_after(
    resource: Deployment,
    spec: BatchSpec,
    status: DeploymentStatus,
    known: BatchStatus,
    view: View,
    now: datetime,
    refused: tuple[str, str] | None,
) -> Batch:
    begun = known.records[0] if known.records and not known.records[0].verdict else None
    if begun is None and not known.due:
        return _idle(resource, known, view)
    model = _model(resource, status, view)
    if isinstance(model, Told):
        return Batch(known, model, deletions=steps.superseded(resource, view, ""))
    if begun is None or _given_up(known, begun):
        digest = _newest(resource, spec, view)
        if isinstance(digest, Told):
            return Batch(known, digest)
    else:
        digest = begun.dataset
    wanted = record(resource, spec, model, digest, now)
    if refused is not None and view.job(job_name(resource, wanted.key)) is None:
        return Batch(known, Told(*refused), deletions=steps.superseded(resource, view, ""))
    done = known.records[0] if known.records else None
    if begun is None and done is not None and done.key == wanted.key:
        known = known.model_copy(update={"due": False, "once": spec.once or known.once})
        return _idle(resource, known, view)
    anew = begun is not None and known.due and _given_up(known, begun)
    if begun is None or begun.key != wanted.key or anew:
        known = _begun(known, spec, wanted, now)
    return _followed(resource, spec, known, view, now, refused)


def _idle(resource: Deployment, known: BatchStatus, view: View) -> Batch:
    """Nothing is due; what the last batch has written stands."""
    last = known.records[0] if known.records else None
    told = Told("NotStarted", "no batch has been due yet")
    if last is not None:
        told = Told("Scored", f"{last.rows} rows of {last.dataset[:19]}, answered by {last.version}: {last.uri}", True)
    job = job_name(resource, last.key) if last is not None else ""
    return Batch(known, told, deletions=steps.superseded(resource, view, job))


def _model(resource: Deployment, status: DeploymentStatus, view: View) -> StableVersion | Told:
    """What is served, if it may answer a batch."""
    stable = status.stable
    if stable is None:
        return Told("NoVersion", "no version is served yet; the batch begins with the first one")
    if stable.revoked_at is not None:
        return Told("ApprovalRevoked", f"ModelVersion {stable.version} was revoked; the batch waits for the next one")
    versions = view.model_versions(resource.metadata.namespace, stable.model)
    version = next((v for v in versions if (v.metadata.name, v.status.image) == (stable.version, stable.image)), None)
    policy = view.config.policy.of(resource.metadata.namespace)
    refusal = may_serve(version, policy) if version is not None else None
    if refusal is not None:
        return Told(refusal.reason, f"{refusal.message}; the batch waits for a version that may be served")
    if not stable.model_digest:
        words = f"it is not known of which model ModelVersion {stable.version} is"
        return Told("DependencyNotReady", f"{words}; the batch begins with the next version")
    return stable


def _newest(resource: Deployment, spec: BatchSpec, view: View) -> str | Told:
    """The digest of the newest version of the dataset that has passed its checks."""
    name = spec.input.dataset
    known = view.related.get(("Dataset", resource.metadata.namespace, name), ())
    dataset = next((one for one in known if isinstance(one, Dataset)), None)
    if dataset is None:
        words = f"Dataset {name} does not exist; apply it, or correct spec.batch.input.dataset"
        return Told("DependencyNotReady", words)
    if dataset.status.version is None:
        return Told("DependencyNotReady", f"Dataset {name} has no version yet")
    return dataset.status.version.digest


def record(resource: Deployment, spec: BatchSpec, model: StableVersion, digest: str, now: datetime) -> BatchRecord:
    """The batch of this model and this dataset version, as it begins."""
    name, output = resource.metadata.name, spec.output.uri
    key = keys.score(model.model_digest, digest, name, output)
    return BatchRecord(
        at=timestamp(now),
        key=key,
        version=model.version,
        image=model.image,
        model=model.model_digest,
        dataset=digest,
        uri=output if output.endswith(SUFFIX) else f"{output.rstrip('/')}/{name}-{key[:12]}{SUFFIX}",
    )


def _given_up(known: BatchStatus, one: BatchRecord) -> bool:
    attempt = known.attempt
    return attempt is not None and attempt.key == one.key and attempt.next_at is None


def _begun(known: BatchStatus, spec: BatchSpec, wanted: BatchRecord, now: datetime) -> BatchStatus:
    """The status in which this batch is under way, and what was under way before is not."""
    records = tuple(
        one
        if one.verdict
        else one.model_copy(
            update={"verdict": "Failed" if _given_up(known, one) else "Superseded", "ended_at": timestamp(now)}
        )
        for one in known.records
    )
    attempt = known.attempt if known.attempt is not None and known.attempt.key == wanted.key else None
    if attempt is not None:
        attempt = attempt.model_copy(update={"next_at": timestamp(now), "count": 0, "deaths": 0})
    return known.model_copy(
        update={
            "records": (wanted, *records)[:RECORDS],
            "attempt": attempt,
            "due": False,
            "once": spec.once or known.once,
        }
    )


def _followed(
    resource: Deployment,
    spec: BatchSpec,
    known: BatchStatus,
    view: View,
    now: datetime,
    refused: tuple[str, str] | None,
) -> Batch:
    """One look at the batch that is under way."""
    begun = known.records[0]
    asked = task(resource, begun, view.config)
    step = steps.Step(asked, scoring_job(resource, spec, asked, begun.version, view.config), DOING)
    before = resource.status.condition(BATCH)
    progress = steps.resume(step, steps.Known(resource.metadata.generation, known.attempt, before), view, now)
    others = steps.superseded(resource, view, step.job.name)
    match progress:
        case steps.Succeeded(summary=ScoreSummary() as summary, finished_at=finished_at):
            done = _scored(known, begun, summary, finished_at)
            return _idle(resource, done, view)
        case steps.Succeeded(summary=summary):
            raise AssertionError(f"the {summary.step} step's result is another step's")
        case steps.GivenUp(attempt=attempt):
            known = known.model_copy(update={"attempt": attempt})
            return Batch(known, Told(attempt.reason, attempt.message), deletions=others)
        case steps.Working():
            progress = _explained(progress, view, step.job.name)
            known = known.model_copy(update={"attempt": progress.attempt})
            if refused is not None and progress.children:
                return Batch(known, Told(*refused), deletions=others)
            return Batch(
                known,
                Told(progress.reason, progress.message),
                progress.children,
                (*progress.deletions, *others),
                progress.requeue_after,
            )


def task(resource: Deployment, begun: BatchRecord, config: Config) -> ScoreTask:
    """What the Job is asked."""
    root = config.store.uri.rstrip("/")
    manifest = f"{root}/{resource.metadata.namespace}/manifests/sha256/{begun.dataset.removeprefix('sha256:')}.json"
    return ScoreTask.model_validate(
        {
            **steps.task_header(resource, begun.key, keys.SCORE_VERSION, config),
            "model": {"digest": begun.model},
            "served": resource.spec.model.name,
            "image": begun.image,
            "dataset": {"digest": begun.dataset, "uri": manifest},
            "output": begun.uri,
            "serverSeconds": int(durations.parse(resource.spec.server.startup_deadline).total_seconds()),
        }
    )


def _scored(known: BatchStatus, begun: BatchRecord, summary: ScoreSummary, finished_at: str) -> BatchStatus:
    done = begun.model_copy(
        update={
            "verdict": "Scored",
            "rows": summary.rows,
            "bytes": summary.bytes,
            "digest": summary.digest,
            "ended_at": finished_at,
        }
    )
    return known.model_copy(update={"records": (done, *known.records[1:]), "attempt": None})


def _explained(progress: steps.Working, view: View, job: str) -> steps.Working:
    """What the worker can only say of its neighbour by hearsay, in the kubelet's words."""
    if progress.reason not in (DOING, SERVER_FAILED) or (said := _server_trouble(view, job)) is None:
        return progress
    reason, words = said
    attempt = progress.attempt
    if attempt is not None and attempt.reason == SERVER_FAILED:
        attempt = attempt.model_copy(update={"reason": reason, "message": words})
    return replace(progress, reason=reason, message=words, attempt=attempt)


def _server_trouble(view: View, job: str) -> tuple[str, str] | None:
    """Why the model's server beside a Job ended last, if it did while it was needed."""
    found = view.job(job)
    statuses = [
        one
        for pod in (view.pods_of(found) if found is not None else ())
        for one in pod.get("status", {}).get("initContainerStatuses", [])
        if one["name"] == SERVER
    ]
    ended = statuses[-1].get("lastState", {}).get("terminated") if statuses else None
    if ended is None:
        return None
    if ended.get("reason") == "OOMKilled":
        words = "the model's server was killed at its memory limit; raise spec.server.resources.limits.memory"
        return "OutOfMemory", words
    lines = ended.get("message", "").strip().splitlines()
    last = lines[-1] if lines else "it left no message"
    return "CrashLoop", f"the model's server ended with exit code {ended.get('exitCode')}: {last}"

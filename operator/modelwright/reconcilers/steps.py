"""How one step of the chain is carried through by a Job: made once, observed, retried with patience, given up aloud.

A step is known by its key. What is remembered of its failures lies in `status.attempt`, so that an operator that
starts anew goes on where the last one stopped.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar, assert_never

from modelwright import durations, observe
from modelwright.api.v1alpha1 import (
    Attempt,
    Dataset,
    DatasetStatus,
    ModelVersion,
    ModelVersionStatus,
    TrainingRun,
    TrainingRunStatus,
)
from modelwright.conditions import MESSAGE_LENGTH, Report, moment, timestamp
from modelwright.config import Config
from modelwright.objects import Job
from modelwright.plan import Child, JsonObject, Plan, Ref
from modelwright.reasons import outlook
from modelwright.reconcilers.conclude import conclude
from modelwright.view import View
from modelwright_contract.results import Failure, Success, parse_summary

PATIENT_ATTEMPTS = 3
"""After so many failures that a person could mend, the object is Stalled, though still tried now and then."""

Stepped = Dataset | TrainingRun | ModelVersion
S = TypeVar("S", DatasetStatus, TrainingRunStatus, ModelVersionStatus)


@dataclass(frozen=True, slots=True)
class Step:
    """One step that should be carried out."""

    key: str
    job: Child
    doing: str
    """The reason while it works: Ingesting, Training, Packaging."""
    retries: int = 2
    """How often a Pod that died without a word is replaced."""


@dataclass(frozen=True, slots=True)
class Working:
    """The step is under way, or waits for its next attempt; `stalled` when a person should act meanwhile."""

    reason: str
    message: str
    attempt: Attempt | None
    stalled: bool = False
    children: tuple[Child, ...] = ()
    deletions: tuple[Ref, ...] = ()
    requeue_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The step is done."""

    summary: Success
    finished_at: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The step will not be tried again before the spec changes."""

    attempt: Attempt


Progress = Working | Succeeded | GivenUp


def advance(step: Step, resource: Stepped, view: View, now: datetime) -> Progress:
    """Where the step stands, and what moves it on."""
    attempt = resource.status.attempt
    if attempt is not None and attempt.key != step.key:
        attempt = None
    return _Pass(step, resource, view, now, attempt, view.job(step.job.name)).progress()


def superseded(resource: Stepped, view: View, current: str) -> tuple[Ref, ...]:
    """Unfinished Jobs other than the one of the name `current`: nobody waits for their results any more."""
    return tuple(
        _ref(resource, job)
        for job in view.jobs()
        if job["metadata"]["name"] != current and "deletionTimestamp" not in job["metadata"] and not _finished(job)
    )


def carry_on(
    resource: Stepped,
    report: Report,
    status: S,
    step: Step,
    progress: Progress,
    view: View,
    mark: Callable[[Report, S], None],
) -> Plan:
    """The plan of a step that is not done: what to make or remove next, and how `Ready` tells it.

    `mark` says the kind's own conditions of the status that is written.
    """
    children: tuple[Child, ...] = ()
    deletions: tuple[Ref, ...] = ()
    requeue_after: timedelta | None = None
    match progress:
        case Working():
            status = status.model_copy(update={"attempt": progress.attempt})
            tell = report.stalled if progress.stalled else report.reconciling
            tell(progress.reason, progress.message)
            children, deletions, requeue_after = progress.children, progress.deletions, progress.requeue_after
        case GivenUp(attempt=attempt):
            status = status.model_copy(update={"attempt": attempt})
            report.stalled(attempt.reason, attempt.message)
        case Succeeded(summary=summary):
            raise AssertionError(f"the {summary.step} step's result is another step's")
        case _:
            assert_never(progress)
    mark(report, status)
    deletions = (*deletions, *superseded(resource, view, step.job.name))
    return conclude(resource, report, status, children=children, deletions=deletions, requeue_after=requeue_after)


def task_header(resource: Stepped, key: str, version: int, config: Config) -> JsonObject:
    """What every task says first."""
    store = config.store
    return {
        "key": key,
        "stepVersion": version,
        "namespace": resource.metadata.namespace,
        "name": resource.metadata.name,
        "store": {"uri": store.uri, "endpoint": store.endpoint or None, "region": store.region},
    }


@dataclass(frozen=True, slots=True)
class _Pass:
    """One look at one step: what is remembered of it (`attempt`), and its Job, if there is one."""

    step: Step
    resource: Stepped
    view: View
    now: datetime
    attempt: Attempt | None
    job: Job | None

    def progress(self) -> Progress:
        if self.job is None or (self.attempt is not None and self.attempt.job == self.job["metadata"]["uid"]):
            return self._begin(self.attempt)
        if "deletionTimestamp" in self.job["metadata"]:
            return self._under_way(self.attempt)
        return self._judge(self.job)

    def _begin(self, attempt: Attempt | None) -> Progress:
        """There is no Job, or only one whose failure is known: wait, give up, or make one."""
        if attempt is not None and attempt.generation != self.resource.metadata.generation:
            attempt = None
        if attempt is not None and attempt.next_at is None:
            return GivenUp(attempt)
        if attempt is not None and attempt.next_at is not None and self.now < moment(attempt.next_at):
            message = f"{attempt.message}; next attempt at {attempt.next_at}"
            wait = moment(attempt.next_at) - self.now
            return Working(attempt.reason, message, attempt, stalled=_for_a_person(attempt), requeue_after=wait)
        return replace(self._under_way(attempt), children=(self.step.job,), deletions=self._removal())

    def _under_way(self, attempt: Attempt | None) -> Working:
        """Nothing to do but wait; an earlier failure stays said until the step has succeeded."""
        if attempt is not None:
            message = f"{attempt.message}; it is tried again"
            stalled = _for_a_person(attempt)
            return Working(attempt.reason, message, attempt, stalled=stalled, requeue_after=observe.POD_GRACE)
        message = f"Job {self.step.job.name} is under way"
        return Working(self.step.doing, message, attempt, requeue_after=observe.POD_GRACE)

    def _judge(self, job: Job) -> Progress:
        """There is a Job whose end is not known yet."""
        seen = observe.job(job, self.view.pods_of(job), self.now)
        match seen:
            case observe.Starting() | observe.Running():
                return self._under_way(self.attempt)
            case observe.Blocked(reason=reason, message=message):
                return Working(reason, message, self.attempt, stalled=outlook(reason) == "act")
            case observe.Vanished():
                return replace(self._under_way(self.attempt), children=(self.step.job,), deletions=self._removal())
            case observe.Ended(text=text, finished_at=finished_at):
                match parse_summary(text):
                    case Success() as summary:
                        return Succeeded(summary, finished_at)
                    case Failure(reason=reason, message=message, retry=retry):
                        return self._failed(job, reason, message, retry=retry)
                    case _:
                        return self._died(job, "Crashed", f"the step's message is not a result: {text[:200]}")
            case observe.Died(reason=reason, message=message):
                return self._died(job, reason, message)
            case _:
                assert_never(seen)

    def _died(self, job: Job, reason: str, message: str) -> Progress:
        failures = self.attempt.count if self.attempt is not None else 0
        again = failures < self.step.retries and reason != "ModelCheckFailed"
        return self._failed(job, reason, message, retry=again)

    def _failed(self, job: Job, reason: str, message: str, *, retry: bool) -> Progress:
        count = self.attempt.count + 1 if self.attempt is not None else 1
        ladder = self.view.config.retry
        wait = min(durations.parse(ladder.initial) * 2 ** min(count - 1, 30), durations.parse(ladder.max))
        failure = Attempt(
            key=self.step.key,
            job=job["metadata"]["uid"],
            generation=self.resource.metadata.generation,
            count=count,
            failed_at=timestamp(self.now),
            next_at=timestamp(self.now + wait) if retry else None,
            reason=reason,
            message=message[:MESSAGE_LENGTH],
        )
        return self._begin(failure)

    def _removal(self) -> tuple[Ref, ...]:
        return (_ref(self.resource, self.job),) if self.job is not None else ()


def _for_a_person(attempt: Attempt) -> bool:
    return outlook(attempt.reason) == "act" and attempt.count >= PATIENT_ATTEMPTS


def _finished(job: Job) -> bool:
    return any(
        c["type"] in ("Complete", "Failed") and c["status"] == "True"
        for c in job.get("status", {}).get("conditions", [])
    )


def _ref(resource: Stepped, job: Job) -> Ref:
    return Ref("Job", resource.metadata.namespace, job["metadata"]["name"], job["metadata"]["uid"])

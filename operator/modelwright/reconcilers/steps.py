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
    Condition,
    Dataset,
    DatasetStatus,
    ModelVersion,
    ModelVersionStatus,
    Resource,
    TrainingRun,
    TrainingRunStatus,
)
from modelwright.conditions import MESSAGE_LENGTH, READY, STALLED, Report, moment, timestamp
from modelwright.config import Config
from modelwright.objects import Job
from modelwright.plan import Child, JsonObject, Plan, Ref
from modelwright.reasons import outlook
from modelwright.reconcilers.conclude import conclude
from modelwright.view import View
from modelwright_contract.results import Failure, Success, Violations, parse_summary
from modelwright_contract.tasks import Task

PATIENT_ATTEMPTS = 3
"""After so many failures that a person could mend, the object is Stalled, though still tried now and then."""

PATIENCE = timedelta(minutes=1)
"""How long the cluster may keep a Pod from starting before a person should look: nodes and volumes come late."""

MAX_TASK_BYTES = 100_000
"""A Job's task travels in one environment variable, for which Linux has 128 KiB."""

_AGAIN = "; it is tried again"

Stepped = Dataset | TrainingRun | ModelVersion
S = TypeVar("S", DatasetStatus, TrainingRunStatus, ModelVersionStatus)


@dataclass(frozen=True, slots=True)
class Step:
    """One step that should be carried out."""

    task: Task
    job: Child
    doing: str
    """The reason while it works: Ingesting, Training, Packaging."""
    retries: int | None = 2
    """How often a Pod that died without a word is replaced; None: for ever, for a spec that nobody can mend."""

    @property
    def key(self) -> str:
        """The hash of the step's inputs."""
        return self.task.key


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
    violations: Violations | None = None
    """What a check that has just failed found."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The step is done."""

    summary: Success
    finished_at: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The step will not be tried again before the spec changes."""

    attempt: Attempt
    violations: Violations | None = None


Progress = Working | Succeeded | GivenUp


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a step before a pass: the spec's `generation`, its failed tries, and what was `said` of it."""

    generation: int
    attempt: Attempt | None
    said: Condition | None
    stalled: bool = False


def advance(step: Step, resource: Stepped, view: View, now: datetime) -> Progress:
    """Where the one step of an object stands, and what moves it on."""
    status = resource.status
    stalled = status.condition(STALLED)
    still = stalled is not None and stalled.status == "True"
    return resume(step, Known(resource.metadata.generation, status.attempt, status.condition(READY), still), view, now)


def resume(step: Step, known: Known, view: View, now: datetime) -> Progress:
    """Where a step stands of which that much is known, and what moves it on."""
    if known.attempt is not None and known.attempt.key != step.key:
        known = replace(known, attempt=None)
    return _Pass(step, known, view, now, known.attempt, view.job(step.job.name)).progress()


def patience(blocked: observe.Blocked, now: datetime) -> tuple[bool, timedelta | None]:
    """Whether a person should look by now and, where that is not so yet, when to ask again."""
    if outlook(blocked.reason) != "act":
        return False, None
    left = PATIENCE - (now - moment(blocked.since))
    return (True, None) if left <= timedelta() else (False, left)


def is_under_way(view: View, job: str) -> bool:
    """Whether the step's Job exists and has not ended: what has begun is never taken away for a later rule's sake."""
    found = view.job(job)
    return found is not None and not _finished(found)


def superseded(resource: Resource, view: View, current: str) -> tuple[Ref, ...]:
    """Unfinished Jobs other than the one of the name `current`: nobody waits for their results any more."""
    return tuple(
        _ref(job)
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


def task_header(resource: Resource, key: str, version: int, config: Config) -> JsonObject:
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
    known: Known
    view: View
    now: datetime
    attempt: Attempt | None
    job: Job | None

    def progress(self) -> Progress:
        if (size_bytes := len(self.step.task.to_json().encode())) > MAX_TASK_BYTES:
            message = f"spec: {size_bytes} bytes are too many for a Job, at most {MAX_TASK_BYTES} fit; shorten it"
            return Working("InvalidSpec", message, self.attempt, stalled=True)
        if self.job is None or (self.attempt is not None and self.attempt.job == self.job["metadata"]["uid"]):
            return self._begin(self.attempt)
        if "deletionTimestamp" in self.job["metadata"]:
            return self._under_way(self.attempt)
        return self._judge(self.job)

    def _begin(self, attempt: Attempt | None) -> Working | GivenUp:
        """There is no Job, or only one whose failure is known: wait, give up, or make one."""
        if attempt is not None and attempt.generation != self.known.generation:
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
            message = f"{attempt.message}{_AGAIN}"
            stalled = _for_a_person(attempt)
            return Working(attempt.reason, message, attempt, stalled=stalled, requeue_after=observe.POD_GRACE)
        message = f"Job {self.step.job.name} is under way"
        return Working(self.step.doing, message, attempt, requeue_after=observe.POD_GRACE)

    def _judge(self, job: Job) -> Progress:
        """There is a Job whose end is not known yet."""
        seen = observe.job(job, self.view.pods_of(job), self.view.refusal_of(job), self.now)
        match seen:
            case observe.Running() if self.attempt is not None and self.attempt.reason in observe.BLOCKED:
                # What kept an earlier Pod from starting is over.
                return replace(self._under_way(None), attempt=self.attempt)
            case observe.Starting() | observe.Running():
                return self._under_way(self.attempt)
            case observe.Ending():
                return self._ending()
            case observe.Blocked():
                stalled, again = patience(seen, self.now)
                return Working(seen.reason, seen.message, self.attempt, stalled=stalled, requeue_after=again)
            case observe.Vanished():
                return replace(self._under_way(self.attempt), children=(self.step.job,), deletions=self._removal())
            case observe.Ended(text=text, finished_at=finished_at):
                match parse_summary(text):
                    case Success() as summary:
                        return Succeeded(summary, finished_at)
                    case Failure() as failure:
                        judged = self._failed(job, failure.reason, failure.message, retry=failure.retry)
                        return replace(judged, violations=failure.violations)
                    case _:
                        return self._died(job, "Crashed", f"the step's message is not a result: {text[:200]}")
            case observe.Died(reason=reason, message=message):
                return self._died(job, reason, message)
            case _:
                assert_never(seen)

    def _ending(self) -> Working:
        """What was last said stays said: of a Job that ends at its deadline it tells whether its Pod ever ran."""
        said = self.known.said
        if said is None or said.reason not in {*observe.BLOCKED, self.step.doing}:
            return self._under_way(self.attempt)
        stalled = self.known.stalled
        return Working(said.reason, said.message, self.attempt, stalled=stalled, requeue_after=observe.POD_GRACE)

    def _died(self, job: Job, reason: str, message: str) -> Working | GivenUp:
        said = self.known.said
        if reason == "DeadlineExceeded" and said is not None and said.reason in observe.BLOCKED:
            # The time went by before the Pod could begin: what kept it is the cause, and may still pass.
            return self._failed(job, said.reason, said.message.removesuffix(_AGAIN), retry=True)
        deaths, retries = self.attempt.deaths if self.attempt is not None else 0, self.step.retries
        again = reason != "ModelCheckFailed" and (reason == "Evicted" or retries is None or deaths < retries)
        return self._failed(job, reason, message, retry=again, deaths=deaths + (reason != "Evicted"))

    def _failed(
        self, job: Job, reason: str, message: str, *, retry: bool, deaths: int | None = None
    ) -> Working | GivenUp:
        count = self.attempt.count + 1 if self.attempt is not None else 1
        known = self.attempt.deaths if self.attempt is not None else 0
        ladder = self.view.config.retry
        wait = min(durations.parse(ladder.initial) * 2 ** min(count - 1, 30), durations.parse(ladder.max))
        failure = Attempt(
            key=self.step.key,
            job=job["metadata"]["uid"],
            generation=self.known.generation,
            count=count,
            deaths=known if deaths is None else deaths,
            failed_at=timestamp(self.now),
            next_at=timestamp(self.now + wait) if retry else None,
            reason=reason,
            message=message[:MESSAGE_LENGTH],
        )
        return self._begin(failure)

    def _removal(self) -> tuple[Ref, ...]:
        return (_ref(self.job),) if self.job is not None else ()


def _for_a_person(attempt: Attempt) -> bool:
    return outlook(attempt.reason) == "act" and attempt.count >= PATIENT_ATTEMPTS


def _finished(job: Job) -> bool:
    return any(
        c["type"] in ("Complete", "Failed") and c["status"] == "True"
        for c in job.get("status", {}).get("conditions", [])
    )


def _ref(job: Job) -> Ref:
    return Ref("Job", job["metadata"]["namespace"], job["metadata"]["name"], job["metadata"]["uid"])

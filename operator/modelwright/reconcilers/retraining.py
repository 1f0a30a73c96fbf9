"""Whether a model is trained anew, and what became of it: one run at a time, each on data that was not trained on.

A run's name stands for what it trains on and how. So a storm of triggers makes one run, an operator that was killed
makes the same one again, and nothing is trained twice.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from modelwright import durations, keys, schedules
from modelwright.api.v1alpha1 import Deployment, TrainingRun
from modelwright.api.v1alpha1.deployment import LATEST
from modelwright.api.v1alpha1.retraining import RetrainingRecord, RetrainingSpec, RetrainingStatus, Trigger
from modelwright.children.trainingrun import retraining_run
from modelwright.conditions import moment, timestamp
from modelwright.plan import Child, Event
from modelwright.reconcilers.retrained import Told, became
from modelwright.view import Topic, View

RECORDS = 10
_UNSUCCESSFUL = frozenset({"GatesFailed", "RunFailed", "PackagingFailed", "RolloutRejected"})


@dataclass(frozen=True, slots=True)
class Retraining:
    """What the condition `Retraining` says, and what a pass does for its sake."""

    status: RetrainingStatus
    holds: bool
    reason: str
    message: str
    children: tuple[Child, ...] = ()
    events: tuple[Event, ...] = ()
    again: timedelta | None = None


def references(resource: Deployment) -> frozenset[Topic]:
    """The template, its dataset (known from the second pass on), and the run under way."""
    spec, status, namespace = resource.spec.retraining, resource.status.retraining, resource.metadata.namespace
    if spec is None:
        return frozenset()
    found: set[Topic] = {("TrainingRun", namespace, spec.template.training_run)}
    if status is not None and status.dataset:
        found.add(("Dataset", namespace, status.dataset))
    if status is not None and status.records:
        found.add(("TrainingRun", namespace, status.records[0].run))
    return frozenset(found)


def retraining(
    resource: Deployment, view: View, now: datetime, *, drifted: str | None, rolling: bool
) -> Retraining | None:
    """Follows the run that is under way, or begins one; None where the spec wants none.

    `drifted` says what has drifted, where something has; `rolling` whether a version is being rolled out.
    """
    spec = resource.spec.retraining
    if spec is None:
        return None
    template = view.training_run(resource.metadata.namespace, spec.template.training_run)
    status = _counted(resource.status.retraining or RetrainingStatus(), resource)
    if template is not None:
        status = status.model_copy(update={"dataset": template.spec.dataset.name})
    if wrong := _wrong(resource, spec, template):
        return Retraining(status, False, *wrong)
    assert template is not None
    status = _on_time(status, spec, now)
    events: tuple[Event, ...] = ()
    open_, told = _open(status), None
    if open_ is not None:
        told = became(open_, resource, view)
        status, events = _with_outcome(status, open_, told, now)
        if not told.verdict and not told.waits_for_a_person:
            children = _again(resource, template, open_) if told.missing else ()
            return Retraining(status, True, "RetrainingUnderWay", told.message, children, events)
    begun = _begin(resource, template, view, status, now, drifted=drifted, rolling=rolling)
    if told is not None and not told.verdict and not begun.holds:
        return replace(begun, holds=True, reason="AwaitingApproval", message=told.message, events=events)
    return replace(begun, events=(*events, *begun.events))


def _wrong(resource: Deployment, spec: RetrainingSpec, template: TrainingRun | None) -> tuple[str, str] | None:
    """The reason and the sentence of what keeps any run from being made."""
    name, model = spec.template.training_run, resource.spec.model
    if model.version != LATEST:
        words = f"spec.model.version is {model.version}, so a new version would not be served; write {LATEST}"
        return "VersionIsNamed", f"{words}, or remove spec.retraining"
    if template is None:
        words = f"TrainingRun {name} does not exist; apply it, or correct spec.retraining.template.trainingRun"
        return "TemplateMissing", words
    if template.model != model.name:
        words = f"TrainingRun {name} makes versions of model {template.model}, not of {model.name}"
        return "TemplateUnfit", f"{words}; correct its spec.output.model, or spec.retraining.template.trainingRun"
    if spec.triggers.schedule is not None:
        problem = schedules.problem(spec.triggers.schedule, spec.triggers.time_zone or "UTC")
        if problem is not None:
            return "ScheduleInvalid", f"spec.retraining.triggers: {problem}"
    return None


def _counted(status: RetrainingStatus, resource: Deployment) -> RetrainingStatus:
    """Attempts count anew once a person has changed the spec, or another version is served."""
    stable, generation = resource.status.stable, resource.metadata.generation
    champion = stable.version if stable is not None else ""
    if (status.generation, status.champion) == (generation, champion):
        return status
    return status.model_copy(update={"generation": generation, "champion": champion, "attempts": 0})


def _on_time(status: RetrainingStatus, spec: RetrainingSpec, now: datetime) -> RetrainingStatus:
    """The status with the schedule's next time; however many times were missed, it is due once."""
    if spec.triggers.schedule is None:
        return status.model_copy(update={"next_at": None, "due": False})
    following = timestamp(schedules.next_after(spec.triggers.schedule, spec.triggers.time_zone or "UTC", now))
    if status.next_at is None or moment(status.next_at) > moment(following):
        return status.model_copy(update={"next_at": following})
    if moment(status.next_at) <= now:
        return status.model_copy(update={"next_at": following, "due": True})
    return status


def _open(status: RetrainingStatus) -> RetrainingRecord | None:
    return next((record for record in status.records[:1] if not record.verdict), None)


def _with_outcome(
    status: RetrainingStatus, record: RetrainingRecord, told: Told, now: datetime
) -> tuple[RetrainingStatus, tuple[Event, ...]]:
    """The status with what became of the run, and an Event where it has ended."""
    update = {"version": told.version, "verdict": told.verdict, "message": told.message}
    if not told.verdict:
        return _with_newest(status, record.model_copy(update=update)), ()
    ended = record.model_copy(update={**update, "ended_at": timestamp(now)})
    attempts = status.attempts + 1 if told.verdict in _UNSUCCESSFUL else 0
    words = f"retraining {record.run}: {told.message}"
    event = Event("Warning" if told.verdict in _UNSUCCESSFUL else "Normal", f"Retraining{told.verdict}", words)
    return _with_newest(status, ended).model_copy(update={"attempts": attempts}), (event,)


def _with_newest(status: RetrainingStatus, record: RetrainingRecord) -> RetrainingStatus:
    return status.model_copy(update={"records": (record, *status.records[1:])})


def _again(resource: Deployment, template: TrainingRun, record: RetrainingRecord) -> tuple[Child, ...]:
    """The run, where the operator ended before it was made; of another template by now it would be another one."""
    child = retraining_run(resource, template, record.key, record.dataset)
    return (child,) if child.name == record.run and _key(template, record.dataset) == record.key else ()


def _begin(
    resource: Deployment,
    template: TrainingRun,
    view: View,
    status: RetrainingStatus,
    now: datetime,
    *,
    drifted: str | None,
    rolling: bool,
) -> Retraining:
    """A new run, or why there is none."""
    spec = resource.spec.retraining
    assert spec is not None
    due_in = moment(status.next_at) - now if status.next_at is not None else None

    def none(reason: str, message: str, again: timedelta | None = None) -> Retraining:
        times = [time for time in (again, due_in) if time is not None]
        return Retraining(status, False, reason, message, again=min(times, default=None))

    dataset = view.dataset(resource.metadata.namespace, template.spec.dataset.name)
    if resource.status.stable is None:
        return none("NothingToDo", "no version is served yet")
    if dataset is None or dataset.status.version is None:
        # In the first pass it is not known yet which Dataset to look at.
        soon = timedelta(seconds=1) if resource.status.retraining is None else None
        return none("NothingToDo", f"Dataset {template.spec.dataset.name} has no version to train on", soon)
    digest = dataset.status.version.digest
    asked = _asked(spec, status, digest, drifted)
    key = _key(template, digest)
    if asked is None:
        return none("NothingToDo", "nothing asks for a new model")
    if _is_trained(template, status, key, digest):
        status = status.model_copy(update={"due": False})
        why = "" if asked[0] == "NewData" else f"{asked[1]}, but "
        words = f"Dataset {dataset.metadata.name} has no version that was not trained on; a new one is waited for"
        return none("NothingNew", why + words)
    if status.attempts >= spec.max_attempts:
        words = f"{status.attempts} retrainings in a row led to no promoted version; see status.retraining.records"
        return none("AttemptsExhausted", f"{words}, mend the data or the run, and change spec.retraining to go on")
    if rolling:
        return none("CoolingDown", f"{asked[1]}; a run begins when the present rollout has ended")
    last = status.records[0] if status.records else None
    if last is not None and last.at is not None:
        left = moment(last.at) + durations.parse(spec.cooldown) - now
        if left > timedelta():
            return none("CoolingDown", f"{asked[1]}; the cooldown ends at {timestamp(now + left)}", left)
    return _begun(resource, template, status, key, digest, asked, now)


def _begun(
    resource: Deployment,
    template: TrainingRun,
    status: RetrainingStatus,
    key: str,
    digest: str,
    asked: tuple[Trigger, str],
    now: datetime,
) -> Retraining:
    """The run is made, and remembered in the same pass; what still waited for a person gives way to it."""
    child = retraining_run(resource, template, key, digest)
    words = f"TrainingRun {child.name} trains on {digest[:19]}: {asked[1]}"
    record = RetrainingRecord(
        trigger=asked[0], cause=asked[1], at=timestamp(now), run=child.name, key=key, dataset=digest, message=words
    )
    earlier = tuple(
        known if known.verdict else known.model_copy(update={"verdict": "Superseded", "ended_at": timestamp(now)})
        for known in status.records
    )
    status = status.model_copy(update={"records": (record, *earlier)[:RECORDS], "due": False})
    event = Event("Normal", "RetrainingStarted", words)
    return Retraining(status, True, "RetrainingUnderWay", words, (child,), (event,))


def _asked(
    spec: RetrainingSpec, status: RetrainingStatus, digest: str, drifted: str | None
) -> tuple[Trigger, str] | None:
    """What asks for a new model, the most urgent first."""
    if spec.triggers.drift and drifted is not None:
        return "Drift", drifted
    if spec.triggers.new_data:
        return "NewData", f"the newest data is {digest[:19]}"
    if status.due:
        return "Schedule", f'the schedule "{spec.triggers.schedule}" is due'
    return None


def _key(template: TrainingRun, digest: str) -> str:
    """The hash of what would be trained, and on what."""
    return keys.train({**template.spec.semantic(), "model": template.model}, template.spec.dataset.name, digest)


def _is_trained(template: TrainingRun, status: RetrainingStatus, key: str, digest: str) -> bool:
    """Whether the same spec was trained on the same data, by a retraining or by the template itself."""
    if any(record.key == key for record in status.records):
        return True
    own = keys.train(template.spec.semantic(template.metadata.name), template.spec.dataset.name, digest)
    run = template.status.run
    return (run is not None and run.key == own) or any(record.key == own for record in template.status.history)

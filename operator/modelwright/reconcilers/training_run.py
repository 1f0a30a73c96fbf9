"""A TrainingRun: one run for each set of semantic fields, pinned to one dataset version, gated, remembered."""

from datetime import datetime

from modelwright import keys
from modelwright.api.v1alpha1 import TrainingRun, TrainingRunStatus
from modelwright.api.v1alpha1.trainingrun import (
    Artifact,
    Champion,
    DatasetLineage,
    Metrics,
    Run,
    RunLineage,
    RunRecord,
)
from modelwright.children.job import job_name, job_resources, training_job
from modelwright.children.modelversion import model_version
from modelwright.conditions import READY, REFUSALS, Report, timestamp
from modelwright.config import Config
from modelwright.plan import Child, JsonObject, Plan
from modelwright.reconcilers import champions, steps
from modelwright.reconcilers.ceilings import above
from modelwright.reconcilers.conclude import conclude
from modelwright.reconcilers.gates import failures, gate_result, has_passed, unopposed
from modelwright.view import Topic, View
from modelwright_contract.results import TrainSummary
from modelwright_contract.tasks import TrainTask

HISTORY = 10
COMPLETE, FAILED, PASSED, SUSPENDED = "Complete", "Failed", "Passed", "Suspended"


def references(resource: TrainingRun) -> frozenset[Topic]:
    """A run stands on its Dataset, and on the Deployments that its gates compare with."""
    dataset: Topic = ("Dataset", resource.metadata.namespace, resource.spec.dataset.name)
    return frozenset({dataset}) | champions.references(resource)


def reconcile(resource: TrainingRun, view: View, now: datetime) -> Plan:
    """Waits for the dataset, pins what the run rests on, trains once, and makes a ModelVersion of what passed."""
    report = Report(resource.status.conditions, resource.metadata.generation, now)
    config, status = view.config, resource.status
    digest = pinned(resource, view)
    begun = _begun_with(resource) is not None
    if resource.spec.suspend and not (begun and status.run is not None and status.run.completed_at is not None):
        report.paused("Suspended", "spec.suspend is true; set it to false to go on")
        return _unfinished(resource, report, status if begun else _forgotten(status), view)
    if digest is None:
        report.reconciling("DependencyNotReady", _missing_dataset(resource, view))
        return _unfinished(resource, report, _forgotten(status), view)
    opponents = _opponents(resource, view)
    if isinstance(opponents, str):
        report.reconciling("DependencyNotReady", opponents)
        return _unfinished(resource, report, _forgotten(status), view)
    run = Run(key=_key(resource, digest), dataset=digest, champions=opponents, started_at=timestamp(now))
    if status.run is None or (status.run.key, status.run.champions) != (run.key, run.champions):
        status = _begun(resource, status, run)
    elif status.run.completed_at is not None:
        return _completed(resource, report, status, view)
    key = _step_key(resource, run)
    begun_job = steps.is_under_way(view, job_name(resource, key))
    refusal = above(job_resources(resource, config.defaults.train), config.ceilings, "spec.resources")
    if refusal and not begun_job:
        report.stalled("ResourcesAboveCeiling", refusal)
        return _unfinished(resource, report, status, view)
    asked = task(resource, key, run, view)
    step = steps.Step(asked, training_job(resource, asked, config), "Training", resource.spec.retries)
    progress = steps.advance(step, resource, view, now)
    if isinstance(progress, steps.Succeeded) and isinstance(progress.summary, TrainSummary):
        status = _with_model(resource, status, progress.summary, progress.finished_at, config)
        return _completed(resource, report, status, view)
    return steps.carry_on(resource, report, status, step, progress, view, mark=_mark)


def pinned(resource: TrainingRun, view: View) -> str | None:
    """The digest of the dataset version to train on: the spec's, the one that the run began with, or the newest.

    A run that was given up is no longer bound to the version that it began with: other data may be its cure.
    """
    reference, begun = resource.spec.dataset, _begun_with(resource)
    if reference.digest is not None:
        return reference.digest
    if begun is not None and not _given_up(resource.status):
        return begun
    dataset = view.dataset(resource.metadata.namespace, reference.name)
    if dataset is None or dataset.status.version is None:
        return begun
    if not dataset.status.ready or dataset.status.observed_generation != dataset.metadata.generation:
        return begun
    return dataset.status.version.digest


def _begun_with(resource: TrainingRun) -> str | None:
    """The dataset version of the run that status tells of, if that is the run that the spec asks for."""
    run = resource.status.run
    return run.dataset if run is not None and _key(resource, run.dataset) == run.key else None


def _opponents(resource: TrainingRun, view: View) -> tuple[Champion, ...] | str:
    """The champions that the run began with; of one that was given up, those of now, which may be its cure."""
    run = resource.status.run
    if run is not None and _begun_with(resource) is not None and not _given_up(resource.status):
        return run.champions
    return champions.champions(resource, view)


def _key(resource: TrainingRun, digest: str) -> str:
    """What the run is known by: what is trained, and on what."""
    return keys.train(resource.spec.semantic(resource.metadata.name), resource.spec.dataset.name, digest)


def _step_key(resource: TrainingRun, run: Run) -> str:
    """The key of the run's Job: with what its gates compare with, which is an input too."""
    found = {champion.deployment: champion.digest for champion in run.champions}
    return keys.train(resource.spec.semantic(resource.metadata.name), resource.spec.dataset.name, run.dataset, found)


def _given_up(status: TrainingRunStatus) -> bool:
    """Whether the run ended without a model, and is not tried again."""
    done = status.run is not None and status.run.completed_at is not None
    return not done and status.attempt is not None and status.attempt.next_at is None


def task(resource: TrainingRun, key: str, run: Run, view: View) -> TrainTask:
    """What the training Job is asked."""
    config, digest = view.config, run.dataset
    spec = resource.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    evaluation = spec.get("evaluation") or {}
    root = config.store.uri.rstrip("/")
    manifest = f"{root}/{resource.metadata.namespace}/manifests/sha256/{digest.removeprefix('sha256:')}.json"
    return TrainTask.model_validate(
        {
            **steps.task_header(resource, key, keys.TRAIN_VERSION, config),
            "dataset": {"digest": digest, "uri": manifest},
            "task": spec["task"],
            "pipeline": spec["trainer"]["estimator"],
            "metrics": evaluation.get("metrics", ()),
            "gates": [_asked(gate, run) for gate in evaluation.get("gates", ())],
            "seed": resource.spec.seed,
        }
    )


def _asked(gate: JsonObject, run: Run) -> JsonObject:
    """A gate as the Job is asked to judge it: with the champion that the run is pinned to."""
    named = gate.get("against")
    if not isinstance(named, dict):
        return gate
    champion = next(one for one in run.champions if one.deployment == named["deployment"])
    served = {"version": champion.version, "digest": champion.digest} if champion.digest else {}
    return {**gate, "against": {**named, **served}}


def _missing_dataset(resource: TrainingRun, view: View) -> str:
    name = resource.spec.dataset.name
    dataset = view.dataset(resource.metadata.namespace, name)
    if dataset is None:
        return f"Dataset {name} does not exist; apply it, or correct spec.dataset.name"
    ready = dataset.status.condition(READY)
    return f"Dataset {name} is not Ready: {ready.reason if ready else 'it has just been made'}"


def _forgotten(status: TrainingRunStatus) -> TrainingRunStatus:
    """A status that has forgotten an earlier run, but for its history: what it said is not true of this spec."""
    return TrainingRunStatus(conditions=status.conditions, history=status.history)


def _begun(resource: TrainingRun, status: TrainingRunStatus, run: Run) -> TrainingRunStatus:
    known = status.attempt is not None and status.attempt.key == _step_key(resource, run)
    attempt = status.attempt if known else None
    return _forgotten(status).model_copy(update={"run": run, "attempt": attempt})


def _with_model(
    resource: TrainingRun, status: TrainingRunStatus, summary: TrainSummary, finished_at: str, config: Config
) -> TrainingRunStatus:
    assert status.run is not None
    dataset = status.run.dataset
    entry = RunRecord(
        key=status.run.key,
        dataset=dataset,
        artifact=summary.digest,
        passed=summary.passed,
        completed_at=finished_at,
    )
    earlier = tuple(known for known in status.history if known.key != entry.key)
    return status.model_copy(
        update={
            "run": status.run.model_copy(update={"completed_at": finished_at}),
            "metrics": Metrics(validation=summary.metrics.validation, test=summary.metrics.test),
            "gates": tuple(gate_result(gate, resource, status.run) for gate in summary.gates),
            "artifact": Artifact(uri=summary.uri, digest=summary.digest, bytes=summary.bytes),
            "lineage": RunLineage(
                dataset=DatasetLineage(name=resource.spec.dataset.name, digest=dataset),
                image=config.images.worker,
                seed=resource.spec.seed,
            ),
            "history": (entry, *earlier)[:HISTORY],
            "attempt": None,
        }
    )


def _completed(resource: TrainingRun, report: Report, status: TrainingRunStatus, view: View) -> Plan:
    children: tuple[Child, ...] = ()
    if not has_passed(status):
        report.stalled("GatesFailed", failures(status, resource))
    else:
        report.ready("Succeeded", _best(status))
        if resource.spec.output.create_model_version and status.artifact is not None:
            version = model_version(resource, status.artifact.digest)
            if status.model_version != version.name or _is_refused(status):
                children = (version,)
                status = status.model_copy(update={"model_version": version.name})
    _mark(report, status)
    return conclude(
        resource,
        report,
        status,
        children=children,
        deletions=steps.superseded(resource, view, _current_job(resource, status)),
    )


def _is_refused(status: TrainingRunStatus) -> bool:
    """Whether the API server would not take the ModelVersion that the status names already."""
    ready = status.condition(READY)
    return ready is not None and ready.reason in REFUSALS


def _current_job(resource: TrainingRun, status: TrainingRunStatus) -> str:
    return job_name(resource, _step_key(resource, status.run)) if status.run is not None else ""


def _best(status: TrainingRunStatus) -> str:
    figures = status.metrics.test if status.metrics is not None else {}
    measured = ", ".join(f"{name} {value}" for name, value in sorted(figures.items())) or "no metric"
    return "; ".join([f"on the test split: {measured}", *unopposed(status)])


def _unfinished(resource: TrainingRun, report: Report, status: TrainingRunStatus, view: View) -> Plan:
    """Nothing runs: what was begun and has not ended is removed."""
    _mark(report, status, suspended=resource.spec.suspend)
    return conclude(resource, report, status, deletions=steps.superseded(resource, view, ""))


def _mark(report: Report, status: TrainingRunStatus, *, suspended: bool = False) -> None:
    done = status.run is not None and status.run.completed_at is not None
    report.mark(COMPLETE, done, *(("Succeeded", "the run is done") if done else ("NotFinished", "the run is not done")))
    if _given_up(status):
        report.mark(FAILED, True, "RunFailed", "the run ended without a model")
    else:
        report.mark(
            FAILED, False, *(("Succeeded", "the run is done") if done else ("NotFinished", "it may still succeed"))
        )
    if suspended:
        report.mark(SUSPENDED, True, "Suspended", "spec.suspend is true")
    else:
        report.mark(SUSPENDED, False, "NotSuspended", "nothing is held back")
    if not done:
        report.mark(PASSED, False, "NotFinished", "the gates are judged at the end of the run")
    else:
        held = f"{sum(gate.passed for gate in status.gates)} of {len(status.gates)} gates hold"
        passed = has_passed(status)
        words = "; ".join([held, *unopposed(status)])
        report.mark(PASSED, passed, "GatesPassed" if passed else "GatesFailed", words)

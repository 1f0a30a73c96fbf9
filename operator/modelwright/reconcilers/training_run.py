"""A TrainingRun: one run for each set of semantic fields, pinned to one dataset version, gated, remembered."""

from datetime import datetime

from modelwright import keys
from modelwright.api.v1alpha1 import TrainingRun, TrainingRunStatus
from modelwright.api.v1alpha1.trainingrun import (
    Artifact,
    DatasetLineage,
    GateResult,
    Metrics,
    Run,
    RunLineage,
    RunRecord,
)
from modelwright.children.job import job_name, job_resources, training_job
from modelwright.children.modelversion import model_version
from modelwright.conditions import READY, REFUSALS, Report, timestamp
from modelwright.config import Config
from modelwright.plan import Child, Plan
from modelwright.reconcilers import steps
from modelwright.reconcilers.ceilings import above
from modelwright.reconcilers.conclude import conclude
from modelwright.view import Topic, View
from modelwright_contract.results import TrainSummary
from modelwright_contract.tasks import TrainTask

HISTORY = 10
COMPLETE, FAILED, PASSED, SUSPENDED = "Complete", "Failed", "Passed", "Suspended"


def references(resource: TrainingRun) -> frozenset[Topic]:
    """A run stands on its Dataset."""
    return frozenset({("Dataset", resource.metadata.namespace, resource.spec.dataset.name)})


def reconcile(resource: TrainingRun, view: View, now: datetime) -> Plan:
    """Waits for the dataset, pins its version, trains once, and makes a ModelVersion of what passed."""
    report = Report(resource.status.conditions, resource.metadata.generation, now)
    config, status = view.config, resource.status
    dataset = resource.spec.dataset.name
    digest = pinned(resource, view)
    begun = _begun_with(resource) is not None
    if resource.spec.suspend and not (begun and status.run is not None and status.run.completed_at is not None):
        report.paused("Suspended", "spec.suspend is true; set it to false to go on")
        return _unfinished(resource, report, status if begun else _forgotten(status), view)
    if digest is None:
        report.reconciling("DependencyNotReady", _missing_dataset(resource, view))
        return _unfinished(resource, report, _forgotten(status), view)
    key = keys.train(resource.spec.semantic(resource.metadata.name), dataset, digest)
    if status.run is None or status.run.key != key:
        status = _begun(status, key, digest, now)
    elif status.run.completed_at is not None:
        return _completed(resource, report, status, view)
    begun_job = steps.is_under_way(view, job_name(resource, key))
    refusal = above(job_resources(resource, config.defaults.train), config.ceilings, "spec.resources")
    if refusal and not begun_job:
        report.stalled("ResourcesAboveCeiling", refusal)
        return _unfinished(resource, report, status, view)
    asked = task(resource, key, digest, view)
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
    if run is None:
        return None
    key = keys.train(resource.spec.semantic(resource.metadata.name), resource.spec.dataset.name, run.dataset)
    return run.dataset if key == run.key else None


def _given_up(status: TrainingRunStatus) -> bool:
    """Whether the run ended without a model, and is not tried again."""
    done = status.run is not None and status.run.completed_at is not None
    return not done and status.attempt is not None and status.attempt.next_at is None


def task(resource: TrainingRun, key: str, digest: str, view: View) -> TrainTask:
    """What the training Job is asked."""
    config = view.config
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
            "gates": evaluation.get("gates", ()),
            "seed": resource.spec.seed,
        }
    )


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


def _begun(status: TrainingRunStatus, key: str, digest: str, now: datetime) -> TrainingRunStatus:
    attempt = status.attempt if status.attempt is not None and status.attempt.key == key else None
    run = Run(key=key, dataset=digest, started_at=timestamp(now))
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
            "gates": tuple(
                GateResult(
                    name=gate.name,
                    metric=gate.metric,
                    value=gate.value or "",
                    min=gate.min,
                    max=gate.max,
                    passed=gate.passed,
                )
                for gate in summary.gates
            ),
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
    failed = [gate for gate in status.gates if not gate.passed]
    if failed:
        words = "; ".join(
            f"gate {gate.name}: {gate.metric} is {gate.value}, must be "
            + " and ".join(
                [f"at least {gate.min}"] * (gate.min is not None) + [f"at most {gate.max}"] * (gate.max is not None)
            )
            for gate in failed
        )
        report.stalled("GatesFailed", words)
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
    return job_name(resource, status.run.key) if status.run is not None else ""


def _best(status: TrainingRunStatus) -> str:
    figures = status.metrics.test if status.metrics is not None else {}
    return "on the test split: " + (
        ", ".join(f"{name} {value}" for name, value in sorted(figures.items())) or "no metric"
    )


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
    elif all(gate.passed for gate in status.gates):
        report.mark(PASSED, True, "GatesPassed", f"{len(status.gates)} of {len(status.gates)} gates hold")
    else:
        held = sum(gate.passed for gate in status.gates)
        report.mark(PASSED, False, "GatesFailed", f"{held} of {len(status.gates)} gates hold")

"""A ModelVersion: a trained model, checked, packaged as an image by digest, and approved or not."""

from datetime import datetime

from modelwright import keys
from modelwright.api.v1alpha1 import ModelVersion, ModelVersionStatus
from modelwright.api.v1alpha1.modelversion import Signature, Sizes, Tensor, VersionLineage
from modelwright.children.job import job_name, job_resources, packaging_job
from modelwright.conditions import READY, Report
from modelwright.config import Config
from modelwright.plan import Plan
from modelwright.reconcilers import steps
from modelwright.reconcilers.approval import Approved, Refusal, recorded, standing
from modelwright.reconcilers.ceilings import above
from modelwright.reconcilers.conclude import conclude
from modelwright.view import Topic, View
from modelwright_contract.results import PackageSummary
from modelwright_contract.results import Tensor as TensorSummary
from modelwright_contract.tasks import PackageTask

PACKAGED, GATED, APPROVED = "Packaged", "Gated", "Approved"


def references(resource: ModelVersion) -> frozenset[Topic]:
    """A version was made by a run, whose status says whether its gates hold."""
    return frozenset({("TrainingRun", resource.metadata.namespace, resource.spec.source.training_run)})


def reconcile(resource: ModelVersion, view: View, now: datetime) -> Plan:
    """Packages the model once; notes once that its run has passed, and who approved the image."""
    report = Report(resource.status.conditions, resource.metadata.generation, now)
    config = view.config
    status = _with_run(resource, view)
    if status.image:
        return _fulfilled(resource, report, status, config, now)
    _mark_approval(report, standing(resource, config.policy.of(resource.metadata.namespace)))
    repository = target(resource, config)
    if repository is None:
        report.stalled(
            "RepositoryMissing", f"write spec.package.image, such as registry.example.org/models/{resource.spec.model}"
        )
        _mark(report, status)
        return conclude(resource, report, status)
    digest = resource.spec.source.digest or (status.lineage.model if status.lineage is not None else "")
    if not digest:
        report.reconciling("DependencyNotReady", _missing_run(resource, view))
        _mark(report, status)
        return conclude(resource, report, status)
    key = keys.package(digest, repository)
    refusal = above(job_resources(resource, config.defaults.package), config.ceilings, "spec.resources")
    if refusal and not steps.is_under_way(view, job_name(resource, key)):
        report.stalled("ResourcesAboveCeiling", refusal)
        _mark(report, status)
        return conclude(resource, report, status)
    reference = resource.spec.package.push_secret_ref
    push_secret = reference.name if reference else config.registry.push_secret_name or None
    asked = task(resource, key, digest, repository, config)
    step = steps.Step(asked, packaging_job(resource, asked, config, push_secret), "Packaging", retries=None)
    progress = steps.advance(step, resource, view, now)
    if isinstance(progress, steps.Succeeded) and isinstance(progress.summary, PackageSummary):
        return _fulfilled(resource, report, _with_image(status, progress.summary, config), config, now)
    return steps.carry_on(resource, report, status, step, progress, view, mark=_mark)


def target(resource: ModelVersion, config: Config) -> str | None:
    """The repository that the image goes to: the spec's, or one of its own below the configured one."""
    if resource.spec.package.image is not None:
        return resource.spec.package.image
    if not config.registry.repository:
        return None
    return f"{config.registry.repository.rstrip('/')}/{resource.metadata.namespace}/{resource.spec.model}"


def task(resource: ModelVersion, key: str, digest: str, repository: str, config: Config) -> PackageTask:
    """What the packaging Job is asked."""
    return PackageTask.model_validate(
        {
            **steps.task_header(resource, key, keys.PACKAGE_VERSION, config),
            "model": {"digest": digest},
            "image": repository,
            "tag": resource.metadata.name,
            "baseImage": config.images.server,
            "insecure": config.registry.insecure and _host(repository) == _host(config.registry.repository),
        }
    )


def _host(repository: str) -> str:
    return repository.partition("/")[0]


def _missing_run(resource: ModelVersion, view: View) -> str:
    name = resource.spec.source.training_run
    run = view.training_run(resource.metadata.namespace, name)
    if run is None:
        return f"TrainingRun {name} does not exist; apply it, correct spec.source.trainingRun, or write a digest"
    ready = run.status.condition(READY)
    return f"TrainingRun {name} is not Ready: {ready.reason if ready else 'it has just been made'}"


def _with_run(resource: ModelVersion, view: View) -> ModelVersionStatus:
    """The status with what the named run says of this model, noted once and kept though the run goes.

    Without a digest in the spec, the run's model is taken once its gates hold, and the version stays with it.
    """
    status, source = resource.status, resource.spec.source
    if status.lineage is not None and status.lineage.training_run:
        return status
    run = view.training_run(resource.metadata.namespace, source.training_run)
    if run is None:
        return status
    # Of a spec that its reconciler has not seen yet, the status tells nothing.
    fresh = run.status.ready and run.status.observed_generation == run.metadata.generation
    current = run.status.artifact.digest if run.status.artifact is not None and fresh else None
    digest = source.digest or current
    passed = next((record for record in run.status.history if record.artifact == digest and record.passed), None)
    if digest is None or passed is None:
        return status
    lineage = VersionLineage(
        training_run=source.training_run,
        dataset=passed.dataset,
        model=digest,
        server_image=status.lineage.server_image if status.lineage else "",
        seed=run.status.lineage.seed if digest == current and run.status.lineage else 0,
    )
    metrics = run.status.metrics.test if digest == current and run.status.metrics else {}
    return status.model_copy(update={"lineage": lineage, "metrics": metrics})


def _with_image(status: ModelVersionStatus, summary: PackageSummary, config: Config) -> ModelVersionStatus:
    lineage = status.lineage or VersionLineage(model=summary.model.digest)
    return status.model_copy(
        update={
            "image": summary.image,
            "signature": Signature(
                inputs=tuple(_tensor(tensor) for tensor in summary.signature.inputs),
                outputs=tuple(_tensor(tensor) for tensor in summary.signature.outputs),
                omitted=summary.signature.omitted or 0,
            ),
            "sizes": Sizes(model=summary.sizes.model, layer=summary.sizes.layer, image=summary.sizes.image),
            "lineage": lineage.model_copy(update={"server_image": config.images.server}),
            "attempt": None,
        }
    )


def _tensor(tensor: TensorSummary) -> Tensor:
    return Tensor(name=tensor.name[:128], datatype=tensor.datatype, shape=tensor.shape)


def _fulfilled(
    resource: ModelVersion, report: Report, status: ModelVersionStatus, config: Config, now: datetime
) -> Plan:
    packaged = resource.model_copy(update={"status": status})
    found = standing(packaged, config.policy.of(resource.metadata.namespace))
    report.ready("Packaged", f"image {status.image}")
    _mark(report, status)
    _mark_approval(report, found)
    return conclude(resource, report, status.model_copy(update={"approval": recorded(packaged, found, now)}))


def _mark(report: Report, status: ModelVersionStatus) -> None:
    if status.image:
        report.mark(PACKAGED, True, "Packaged", f"image {status.image}")
    else:
        report.mark(PACKAGED, False, "NotPackaged", "there is no image yet")
    if status.lineage is not None and status.lineage.training_run:
        report.mark(
            GATED, True, "GatesPassed", f"TrainingRun {status.lineage.training_run} lists this digest as passed"
        )
    else:
        report.mark(GATED, False, "NotGated", "the named TrainingRun does not list this digest as passed")


def _mark_approval(report: Report, found: Approved | Refusal) -> None:
    remedy = found.remedy if isinstance(found, Refusal) else ""
    words = f"{found.message}; {remedy}" if remedy else found.message
    report.mark(APPROVED, isinstance(found, Approved), found.reason, words, tell=found.reason != "NotPackaged")

"""What became of one retraining: its run, its version, and that version's rollout."""

from dataclasses import dataclass
from typing import Literal

from modelwright.api.v1alpha1 import Deployment, ModelVersion, TrainingRun
from modelwright.api.v1alpha1.retraining import RetrainingRecord
from modelwright.conditions import READY, STALLED
from modelwright.reconcilers.approval import may_serve
from modelwright.view import View

Verdict = Literal["", "Promoted", "GatesFailed", "RunFailed", "PackagingFailed", "RolloutRejected", "Superseded"]


@dataclass(frozen=True, slots=True)
class Told:
    """How far it has come, in a sentence; with a `verdict` it has ended. `missing`: its run is not there."""

    message: str
    verdict: Verdict = ""
    version: str = ""
    waits_for_a_person: bool = False
    missing: bool = False


def became(record: RetrainingRecord, resource: Deployment, view: View) -> Told:
    """Where the retraining of `record` stands."""
    namespace = resource.metadata.namespace
    run = view.training_run(namespace, record.run)
    if run is None and not record.version:
        return Told(f"TrainingRun {record.run} is being made", missing=True)
    if run is not None and not record.version:
        trained = _of_run(run)
        if trained is not None:
            return trained
    name = record.version or (run.status.model_version if run is not None else "")
    versions = view.model_versions(namespace, resource.spec.model.name)
    version = next((found for found in versions if found.metadata.name == name), None)
    if version is not None:
        return _of_version(version, versions, resource, view)
    stable = resource.status.stable
    if record.version and stable is not None and stable.version == record.version:
        return Told(f"{name} serves", "Promoted", name)
    if record.version:
        return Told(f"ModelVersion {name} was deleted", "Superseded", name)
    return Told(f"the model passed its gates; ModelVersion {name} is being made")


def _of_run(run: TrainingRun) -> Told | None:
    """What the run itself says, or None once it has made a version."""
    ready = run.status.condition(READY)
    words = f"TrainingRun {run.metadata.name}: {ready.message}" if ready is not None else "the run begins"
    if run.status.observed_generation != run.metadata.generation:
        return Told(words)
    if _holds(run, "Failed"):
        return Told(words, "RunFailed")
    if _holds(run, "Complete") and not _holds(run, "Passed"):
        return Told(words, "GatesFailed")
    if not _holds(run, "Complete"):
        return Told(words, waits_for_a_person=_holds(run, STALLED) or _holds(run, "Suspended"))
    if not run.spec.output.create_model_version:
        return Told(f"{words}; spec.output.createModelVersion is false, so there is no version to serve", "Superseded")
    return None if run.status.model_version else Told(words)


def _of_version(version: ModelVersion, versions: tuple[ModelVersion, ...], resource: Deployment, view: View) -> Told:
    """What became of the version that the run made."""
    name, stable, image = version.metadata.name, resource.status.stable, version.status.image
    if stable is not None and stable.version == name and stable.revoked_at is None:
        return Told(f"{name} serves", "Promoted", name)
    digest = image.partition("@")[2]
    rejected = next((found for found in resource.status.quarantined if image and found.digest == digest), None)
    if rejected is not None:
        return Told(f"{name} was taken back: {rejected.message}", "RolloutRejected", name)
    ready = version.status.condition(READY)
    words = f"ModelVersion {name}: {ready.message if ready is not None else 'it has just been made'}"
    if not image:
        stalled = version.status.condition(STALLED)
        return Told(words, "PackagingFailed" if stalled is not None else "", name)
    later = versions[versions.index(version) + 1 :]
    if stable is not None and any(found.metadata.name == stable.version for found in later):
        return Told(f"{stable.version}, which is newer, serves", "Superseded", name)
    refusal = may_serve(version, view.config.policy.of(resource.metadata.namespace))
    if refusal is not None:
        words = f"{refusal.message}; {refusal.remedy}" if refusal.remedy else refusal.message
        return Told(words, version=name, waits_for_a_person=True)
    return Told(f"{name} is being rolled out", version=name)


def _holds(run: TrainingRun, type_: str) -> bool:
    condition = run.status.condition(type_)
    return condition is not None and condition.status == "True"

"""Which ModelVersions could be served at all, and what is said where none could."""

from modelwright.api.v1alpha1 import Deployment, ModelVersion
from modelwright.conditions import READY
from modelwright.view import View


def is_fit(version: ModelVersion) -> bool:
    """Whether `latest` may mean it: packaged, gated, and not on its way out."""
    return bool(version.status.image) and _gated(version) and version.metadata.deletion_timestamp is None


def no_version(resource: Deployment, view: View) -> tuple[str, str]:
    """The reason and the sentence on why there is nothing that `latest` could mean."""
    model = resource.spec.model.name
    reason = "NoVersion" if resource.status.stable is None else "DependencyNotReady"
    made = view.model_versions(resource.metadata.namespace, model)
    if not made:
        words = f"no ModelVersion of model {model} exists yet; a TrainingRun with spec.output.model {model} makes one"
        return reason, words
    newest = made[-1]
    ready = newest.status.condition(READY)
    if newest.status.image and not _gated(newest):
        return reason, f"ModelVersion {newest.metadata.name} is packaged, but its gates are not known to hold"
    why = ready.reason if ready else "it has just been made"
    return reason, f"ModelVersion {newest.metadata.name} is not Ready: {why}"


def no_named(named: ModelVersion | None, resource: Deployment) -> str:
    """Why the version that the spec names cannot be served yet."""
    model = resource.spec.model
    if named is None:
        return f"ModelVersion {model.version} does not exist; apply it, or correct spec.model.version"
    if named.spec.model != model.name:
        return f"ModelVersion {model.version} is of model {named.spec.model}, not {model.name}; correct spec.model"
    ready = named.status.condition(READY)
    return f"ModelVersion {model.version} is not Ready: {ready.reason if ready else 'it has just been made'}"


def _gated(version: ModelVersion) -> bool:
    gated = version.status.condition("Gated")
    return gated is not None and gated.status == "True"

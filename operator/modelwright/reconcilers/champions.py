"""Champions: what Deployments serve when a run with gates against them begins. The run stays with it to its end."""

from modelwright.api.v1alpha1 import Deployment, TrainingRun
from modelwright.api.v1alpha1.deployment import StableVersion
from modelwright.api.v1alpha1.trainingrun import Champion
from modelwright.view import Topic, View


def references(resource: TrainingRun) -> frozenset[Topic]:
    """The Deployments that gates name."""
    return frozenset(("Deployment", resource.metadata.namespace, name) for name in _named(resource))


def champions(resource: TrainingRun, view: View) -> tuple[Champion, ...] | str:
    """What each Deployment that a gate names serves now, or the sentence that says what is waited for.

    One that serves nothing, or does not exist, has no champion yet.
    """
    found = []
    for name in _named(resource):
        known = view.related.get(("Deployment", resource.metadata.namespace, name), ())
        deployment = next((one for one in known if isinstance(one, Deployment)), None)
        stable = deployment.status.stable if deployment is not None else None
        if stable is None:
            found.append(Champion(deployment=name, exists=deployment is not None))
        elif not stable.model_digest:
            return f"Deployment {name} serves {stable.version}, but does not say yet of which model that is"
        else:
            found.append(Champion(deployment=name, version=stable.version, digest=stable.model_digest))
    return tuple(found)


def model_digest(resource: Deployment, stable: StableVersion, view: View) -> str:
    """The digest of the model that is served, as its ModelVersion says while it is there; empty where none does."""
    versions = view.model_versions(resource.metadata.namespace, stable.model)
    served = (v for v in versions if (v.metadata.name, v.status.image) == (stable.version, stable.image))
    lineage = next((version.status.lineage for version in served), None)
    return lineage.model if lineage is not None else ""


def _named(resource: TrainingRun) -> list[str]:
    gates = resource.spec.evaluation.gates
    return sorted({gate.against.deployment for gate in gates if gate.against is not None})

"""Which reconciler a kind has, for the world of the pure tests."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import cast

from modelwright.api.v1alpha1 import Dataset, Deployment, ModelVersion, Resource, TrainingRun
from modelwright.plan import Plan
from modelwright.reconcilers import dataset, deployment, model_version, training_run
from modelwright.view import Topic, View


def reconcile(resource: Resource, view: View, now: datetime) -> Plan:
    """The plan of the reconciler of this kind."""
    match resource:
        case Dataset():
            return dataset.reconcile(resource, view, now)
        case TrainingRun():
            return training_run.reconcile(resource, view, now)
        case ModelVersion():
            return model_version.reconcile(resource, view, now)
        case Deployment():
            return deployment.reconcile(resource, view, now)
    raise AssertionError(resource.kind)


def references(resource: Resource) -> frozenset[Topic]:
    """What the object stands on."""
    known: Mapping[str, Callable[[Resource], frozenset[Topic]]] = cast(
        Mapping[str, Callable[[Resource], frozenset[Topic]]],
        {
            "Dataset": dataset.references,
            "TrainingRun": training_run.references,
            "ModelVersion": model_version.references,
            "Deployment": deployment.references,
        },
    )
    return known[resource.kind](resource)

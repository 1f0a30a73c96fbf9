"""API version `modelwright.dev/v1alpha1`: Dataset, TrainingRun, ModelVersion, Deployment.

Every field carries its description, bounds and CEL rules, and `crds/` is generated from them. Attributes are
snake_case, JSON is camelCase, values are frozen; `Dataset.parse(obj)` or `parse(obj)` reads an object.
"""

from collections.abc import Mapping

from modelwright.api.v1alpha1.dataset import Dataset, DatasetSpec, DatasetStatus
from modelwright.api.v1alpha1.deployment import Deployment, DeploymentSpec, DeploymentStatus
from modelwright.api.v1alpha1.modelversion import ModelVersion, ModelVersionSpec, ModelVersionStatus
from modelwright.api.v1alpha1.shared import Attempt, Condition, ObjectMeta, Resource, Status
from modelwright.api.v1alpha1.trainingrun import TrainingRun, TrainingRunSpec, TrainingRunStatus

KINDS: tuple[type[Resource], ...] = (Dataset, TrainingRun, ModelVersion, Deployment)
"""The four kinds, in the order of the chain."""


def parse(obj: Mapping[str, object]) -> Resource:
    """The object as its kind; raises ValueError (pydantic's ValidationError is one) where it is not one of ours."""
    for kind in KINDS:
        if obj.get("kind") == kind.__name__:
            return kind.parse(obj)
    raise ValueError(f"{obj.get('kind')!r} is not a kind of modelwright.dev")


__all__ = [
    "KINDS", "Attempt", "Condition", "Dataset", "DatasetSpec", "DatasetStatus", "Deployment", "DeploymentSpec",
    "DeploymentStatus", "ModelVersion", "ModelVersionSpec", "ModelVersionStatus", "ObjectMeta", "Resource", "Status",
    "TrainingRun", "TrainingRunSpec", "TrainingRunStatus", "parse",
]  # fmt: skip

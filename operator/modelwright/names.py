"""Names of the objects that Modelwright makes, and the labels and annotations they carry."""

import hashlib
from collections.abc import Mapping

GROUP = "modelwright.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

FIELD_MANAGER = "modelwright"
SCALE_FIELD_MANAGER = "modelwright-scale"

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "modelwright"
KIND_LABEL = f"{GROUP}/kind"
NAME_LABEL = f"{GROUP}/name"
STEP_LABEL = f"{GROUP}/step"
MODEL_LABEL = f"{GROUP}/model"
TRAINING_RUN_LABEL = f"{GROUP}/training-run"
RETRAINING_LABEL = f"{GROUP}/retraining"
NAMESPACE_CONFIG_LABEL = f"{GROUP}/namespace-config"

APPLIED_ANNOTATION = f"{GROUP}/applied"
IMAGE_ANNOTATION = f"{GROUP}/image"
KEY_ANNOTATION = f"{GROUP}/key"
ROUTING_ANNOTATION = f"{GROUP}/routing-generation"

ROOT_LENGTH = 29
HASH_LENGTH = 10


def derived(root: str, *parts: str) -> str:
    """A child's name: the first 29 characters of `root`, a dash, and ten hex digits of the hash of `parts`.

    At most 40 characters, so that the names that Kubernetes derives from it in turn fit its 63.
    """
    digest = hashlib.sha256("\x00".join((root, *parts)).encode()).hexdigest()
    return f"{root[:ROOT_LENGTH].rstrip('-')}-{digest[:HASH_LENGTH]}"


def labels(kind: str, name: str, step: str) -> dict[str, str]:
    """The labels of a child of the object `kind`/`name` that serves its step `step`."""
    return {MANAGED_BY_LABEL: MANAGED_BY, KIND_LABEL: kind, NAME_LABEL: name, STEP_LABEL: step}


def selector(kind: str, name: str, step: str) -> Mapping[str, str]:
    """The immutable part of `labels`, by which a Service or a Deployment finds its Pods."""
    return {KIND_LABEL: kind, NAME_LABEL: name, STEP_LABEL: step}

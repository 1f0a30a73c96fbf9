"""The immutable snapshot that a reconciler sees: its object's children, their Pods, and what it refers to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from modelwright.api.v1alpha1 import Dataset, ModelVersion, Resource, TrainingRun
from modelwright.config import Config
from modelwright.live import Live
from modelwright.objects import AppsDeployment, Autoscaler, HttpRoute, Ingress, Job, KubeObject, Pod, owner_uid

Topic = tuple[str, str, str]
"""(kind, namespace, name) of an object, or ("Model", namespace, model) for all ModelVersions of a model."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What this cluster can do that another may not."""

    kinds: frozenset[str] = frozenset()
    """Those of the optional kinds that it serves, such as HTTPRoute."""
    image_volumes: bool = False
    """Whether a Pod may mount an image's files."""


@dataclass(frozen=True)
class View:
    """One moment of the cluster, as far as one object is concerned."""

    config: Config
    """The configuration in force in the object's namespace."""
    children: tuple[KubeObject, ...] = ()
    """Jobs, apps/v1 Deployments, Services and the like whose managing owner is the object."""
    pods: tuple[Pod, ...] = ()
    """Pods reached by UID: object → Job → Pod, or object → Deployment → ReplicaSet → Pod."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """Why Kubernetes last refused: to make a Pod, by the UID of its Job; to mount a volume, by the Pod's UID."""
    related: Mapping[Topic, tuple[Resource, ...]] = field(default_factory=dict)
    """What the object's references name, and is there."""
    cluster: Cluster = Cluster()
    """What the cluster can do."""
    live: Live | None = None
    """What the object's servers said of themselves last; None where they were never asked."""

    def job(self, name: str) -> Job | None:
        """The object's Job of this name."""
        return cast(Job | None, self._child("Job", name))

    def jobs(self) -> tuple[Job, ...]:
        """All Jobs of the object."""
        return tuple(cast(Job, child) for child in self.children if child["kind"] == "Job")

    def deployment(self, name: str) -> AppsDeployment | None:
        """The object's apps/v1 Deployment of this name."""
        return cast(AppsDeployment | None, self._child("Deployment", name))

    def autoscaler(self, name: str) -> Autoscaler | None:
        """The object's HorizontalPodAutoscaler of this name, also while it is on its way out."""
        return cast(Autoscaler | None, self._child("HorizontalPodAutoscaler", name))

    def config_map(self, name: str) -> KubeObject | None:
        """The object's ConfigMap of this name."""
        return self._child("ConfigMap", name)

    def ingress(self, name: str) -> Ingress | None:
        """The object's Ingress of this name."""
        return cast(Ingress | None, self._child("Ingress", name))

    def http_route(self, name: str) -> HttpRoute | None:
        """The object's HTTPRoute of this name."""
        return cast(HttpRoute | None, self._child("HTTPRoute", name))

    def pods_of(self, job: Job) -> tuple[Pod, ...]:
        """The Pods of one Job, oldest first."""
        uid = job["metadata"]["uid"]
        return tuple(
            sorted(
                (pod for pod in self.pods if owner_uid(pod) == uid), key=lambda p: p["metadata"]["creationTimestamp"]
            )
        )

    def refusal_of(self, job: Job) -> str | None:
        """Why Kubernetes last refused to make the Pod of a Job."""
        return self.refusals.get(job["metadata"]["uid"])

    def dataset(self, namespace: str, name: str) -> Dataset | None:
        """The Dataset of this name."""
        return next((r for r in self.related.get(("Dataset", namespace, name), ()) if isinstance(r, Dataset)), None)

    def training_run(self, namespace: str, name: str) -> TrainingRun | None:
        """The TrainingRun of this name."""
        found = self.related.get(("TrainingRun", namespace, name), ())
        return next((r for r in found if isinstance(r, TrainingRun)), None)

    def model_version(self, namespace: str, name: str) -> ModelVersion | None:
        """The ModelVersion of this name."""
        found = self.related.get(("ModelVersion", namespace, name), ())
        return next((r for r in found if isinstance(r, ModelVersion)), None)

    def model_versions(self, namespace: str, model: str) -> tuple[ModelVersion, ...]:
        """All ModelVersions of a model, in the order in which they were made."""
        found = self.related.get(("Model", namespace, model), ())
        versions = (r for r in found if isinstance(r, ModelVersion))
        return tuple(sorted(versions, key=lambda v: (v.metadata.creation_timestamp, v.metadata.name)))

    def _child(self, kind: str, name: str) -> KubeObject | None:
        return next((c for c in self.children if c["kind"] == kind and c["metadata"]["name"] == name), None)

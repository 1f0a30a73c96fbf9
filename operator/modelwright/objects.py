"""The parts of Kubernetes' own objects that reconcilers read, as typed dictionaries over plain JSON."""

from typing import NotRequired, TypedDict, cast


class OwnerReference(TypedDict):
    """Who owns an object; `controller` marks the one that manages it."""

    apiVersion: str
    kind: str
    name: str
    uid: str
    controller: NotRequired[bool]
    blockOwnerDeletion: NotRequired[bool]


class Metadata(TypedDict):
    """The metadata of an object that came from the API server."""

    name: str
    namespace: str
    uid: str
    creationTimestamp: str
    resourceVersion: NotRequired[str]
    generation: NotRequired[int]
    deletionTimestamp: NotRequired[str]
    labels: NotRequired[dict[str, str]]
    annotations: NotRequired[dict[str, str]]
    ownerReferences: NotRequired[list[OwnerReference]]


class KubeObject(TypedDict):
    """What every object has."""

    apiVersion: str
    kind: str
    metadata: Metadata


class KubeCondition(TypedDict):
    """A condition of one of Kubernetes' own objects."""

    type: str
    status: str
    reason: NotRequired[str]
    message: NotRequired[str]


class JobStatus(TypedDict, total=False):
    """What the Job controller reports."""

    startTime: str
    completionTime: str
    conditions: list[KubeCondition]


class Job(KubeObject):
    """A batch/v1 Job."""

    status: NotRequired[JobStatus]


class Waiting(TypedDict, total=False):
    """Why a container does not run yet."""

    reason: str
    message: str


class Terminated(TypedDict, total=False):
    """How a container ended."""

    exitCode: int
    reason: str
    message: str
    startedAt: str
    finishedAt: str


class ContainerState(TypedDict, total=False):
    """Exactly one of the three."""

    waiting: Waiting
    running: dict[str, str]
    terminated: Terminated


class ContainerStatus(TypedDict):
    """What the kubelet reports of one container."""

    name: str
    state: NotRequired[ContainerState]
    lastState: NotRequired[ContainerState]
    ready: NotRequired[bool]
    restartCount: NotRequired[int]


class PodStatus(TypedDict, total=False):
    """What the kubelet reports of a Pod."""

    phase: str
    reason: str
    message: str
    podIP: str
    conditions: list[KubeCondition]
    containerStatuses: list[ContainerStatus]
    initContainerStatuses: list[ContainerStatus]


class Pod(KubeObject):
    """A v1 Pod."""

    status: NotRequired[PodStatus]


class AppsDeploymentStatus(TypedDict, total=False):
    """What the Deployment controller reports."""

    observedGeneration: int
    replicas: int
    updatedReplicas: int
    readyReplicas: int
    availableReplicas: int
    conditions: list[KubeCondition]


class Container(TypedDict, total=False):
    """One container of a template."""

    name: str


class TemplateMetadata(TypedDict, total=False):
    """A Pod template's metadata."""

    annotations: dict[str, str]


class TemplateSpec(TypedDict, total=False):
    """A Pod template's spec."""

    initContainers: list[Container]


class Template(TypedDict, total=False):
    """A Pod template."""

    metadata: TemplateMetadata
    spec: TemplateSpec


class AppsDeploymentSpec(TypedDict, total=False):
    """The part of an apps/v1 Deployment's spec that decisions rest on."""

    replicas: int
    template: Template


class AppsDeployment(KubeObject):
    """An apps/v1 Deployment."""

    spec: NotRequired[AppsDeploymentSpec]
    status: NotRequired[AppsDeploymentStatus]


class LoadBalancerAddress(TypedDict, total=False):
    """Where a controller answers for an Ingress: one of the two."""

    ip: str
    hostname: str


class LoadBalancer(TypedDict, total=False):
    """All addresses of an Ingress."""

    ingress: list[LoadBalancerAddress]


class IngressStatus(TypedDict, total=False):
    """What the ingress controller reports."""

    loadBalancer: LoadBalancer


class Ingress(KubeObject):
    """A networking.k8s.io/v1 Ingress."""

    status: NotRequired[IngressStatus]


class RouteCondition(KubeCondition):
    """A condition that a Gateway's controller sets on an HTTPRoute."""

    observedGeneration: NotRequired[int]
    lastTransitionTime: NotRequired[str]


class ParentReference(TypedDict, total=False):
    """A Gateway, or one of its listeners."""

    name: str
    namespace: str
    sectionName: str


class RouteParentStatus(TypedDict, total=False):
    """What one controller says of an HTTPRoute under one Gateway."""

    parentRef: ParentReference
    conditions: list[RouteCondition]


class HttpRouteStatus(TypedDict, total=False):
    """What all controllers say."""

    parents: list[RouteParentStatus]


class HttpRoute(KubeObject):
    """A gateway.networking.k8s.io/v1 HTTPRoute."""

    status: NotRequired[HttpRouteStatus]


class AutoscalerStatus(TypedDict, total=False):
    """What the autoscaling controller reports."""

    conditions: list[KubeCondition]


class Autoscaler(KubeObject):
    """An autoscaling/v2 HorizontalPodAutoscaler."""

    status: NotRequired[AutoscalerStatus]


class InvolvedObject(TypedDict, total=False):
    """What an Event is about."""

    kind: str
    name: str
    uid: str


class KubeEvent(KubeObject):
    """A v1 Event."""

    involvedObject: InvolvedObject
    reason: NotRequired[str]
    message: NotRequired[str]
    lastTimestamp: NotRequired[str | None]


def owner_uid(obj: KubeObject) -> str | None:
    """The UID of the object's managing owner; an Event belongs to what it is about."""
    if obj["kind"] == "Event":
        return cast(KubeEvent, obj)["involvedObject"].get("uid")
    owner = controller(obj)
    return None if owner is None else owner["uid"]


def controller(obj: KubeObject) -> OwnerReference | None:
    """The object's managing owner."""
    return next((owner for owner in obj["metadata"].get("ownerReferences", []) if owner.get("controller")), None)

"""Where each kind lives on the API server: its group, version and plural, and the paths that follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from modelwright.names import GROUP, MANAGED_BY, MANAGED_BY_LABEL, NAMESPACE_CONFIG_LABEL, VERSION


class Key(NamedTuple):
    """One object of our four kinds; the work queue's key, and the first of its topics."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One kind as the API server serves it.

    `selector` (labels) and `fields` limit what is listed and watched, on the server.
    """

    group: str
    version: str
    plural: str
    kind: str
    selector: str = ""
    fields: str = ""

    @property
    def selection(self) -> dict[str, str]:
        """The query parameters of a list or a watch that say which objects are meant."""
        wanted = {"labelSelector": self.selector, "fieldSelector": self.fields}
        return {name: value for name, value in wanted.items() if value}

    @property
    def api_version(self) -> str:
        """`group/version`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL's path of a collection (all namespaces where `namespace` is None), an object or a subresource."""
        parts = [f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"]
        if namespace is not None:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part is not None]
        return "/".join(parts)


_OURS = f"{MANAGED_BY_LABEL}={MANAGED_BY}"

JOBS: Final = ResourceType("batch", "v1", "jobs", "Job", _OURS)
PODS: Final = ResourceType("", "v1", "pods", "Pod", _OURS)
APPS_DEPLOYMENTS: Final = ResourceType("apps", "v1", "deployments", "Deployment", _OURS)
REPLICA_SETS: Final = ResourceType("apps", "v1", "replicasets", "ReplicaSet", _OURS)
SERVICES: Final = ResourceType("", "v1", "services", "Service", _OURS)
DISRUPTION_BUDGETS: Final = ResourceType("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", _OURS)
AUTOSCALERS: Final = ResourceType("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", _OURS)
INGRESSES: Final = ResourceType("networking.k8s.io", "v1", "ingresses", "Ingress", _OURS)
NETWORK_POLICIES: Final = ResourceType("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", _OURS)
HTTP_ROUTES: Final = ResourceType("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute", _OURS)
POD_MONITORS: Final = ResourceType("monitoring.coreos.com", "v1", "podmonitors", "PodMonitor", _OURS)
ROUTINGS: Final = ResourceType("", "v1", "configmaps", "ConfigMap", _OURS)
"""What we make: which requests a canary answers."""
CONFIG_MAPS: Final = ResourceType("", "v1", "configmaps", "ConfigMap", f"{NAMESPACE_CONFIG_LABEL}=true")
"""What people make: a namespace's own configuration."""
EVENTS: Final = ResourceType("", "v1", "events", "Event")
REFUSALS: Final = ResourceType("", "v1", "events", "Event", fields="involvedObject.kind=Job,reason=FailedCreate")
"""The only place where Kubernetes says why a Job gets no Pod: a quota, a policy, a missing service account."""
FAILED_MOUNTS: Final = ResourceType("", "v1", "events", "Event", fields="involvedObject.kind=Pod,reason=FailedMount")
"""The only place where Kubernetes says that a Pod waits for a volume, such as a Secret that is not there."""
LEASES: Final = ResourceType("coordination.k8s.io", "v1", "leases", "Lease")

OPTIONAL: Final = (HTTP_ROUTES, POD_MONITORS)
"""Kinds that a cluster may lack; they are in the cache while it serves them."""
_ALWAYS_THERE: Final = (
    JOBS, APPS_DEPLOYMENTS, SERVICES, ROUTINGS, DISRUPTION_BUDGETS, AUTOSCALERS, INGRESSES, NETWORK_POLICIES,
)  # fmt: skip
CHILDREN: Final = (*_ALWAYS_THERE, *OPTIONAL)
"""What objects of ours own directly."""
REFLECTED: Final = (*_ALWAYS_THERE, REPLICA_SETS, PODS, CONFIG_MAPS, REFUSALS, FAILED_MOUNTS)
"""What the reflector always keeps in the cache."""

_BY_KIND: Final[Mapping[str, ResourceType]] = {type_.kind: type_ for type_ in CHILDREN}


def ours(kind: str, plural: str) -> ResourceType:
    """One of our own kinds."""
    return ResourceType(GROUP, VERSION, plural, kind)


def child_type(kind: str) -> ResourceType:
    """The type of an owned child; `Deployment` is apps/v1's. Raises KeyError for a kind that is never owned."""
    return _BY_KIND[kind]

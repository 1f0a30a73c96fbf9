"""Everything that should be there for a version to be served, and another to be tried; and what need no longer be."""

from dataclasses import replace
from datetime import datetime

from modelwright.api.v1alpha1 import Deployment
from modelwright.children.configmap import routing_config_map
from modelwright.children.deployment import serving_deployment
from modelwright.children.endpoints import endpoints
from modelwright.children.horizontalpodautoscaler import serving_autoscaler
from modelwright.children.httproute import serving_http_route
from modelwright.children.ingress import serving_ingress
from modelwright.children.networkpolicy import canary_network_policy, serving_network_policy
from modelwright.children.poddisruptionbudget import serving_disruption_budget
from modelwright.children.podmonitor import serving_pod_monitor
from modelwright.children.role import CANARY
from modelwright.children.service import canary_service, serving_service
from modelwright.objects import KubeObject
from modelwright.plan import Child, Ref
from modelwright.reconcilers.canary_routing import forwarding, generation, left, runs, under_way
from modelwright.reconcilers.choosing import Choice
from modelwright.view import View

REMOVABLE = (
    "Deployment", "Service", "ConfigMap", "HorizontalPodAutoscaler", "Ingress", "HTTPRoute", "NetworkPolicy",
    "PodMonitor",
)  # fmt: skip
"""What the end of a canary, or a change of the spec or of the configuration, can make superfluous."""
_ROUTES = ("Ingress", "HTTPRoute")


def wanted(resource: Deployment, choice: Choice, view: View, now: datetime) -> tuple[Child, ...]:
    """All children of a Deployment that serves `choice`, and tries what its status says."""
    scaling, serving = resource.spec.scaling, view.config.serving
    # An autoscaler that is no longer wanted scales until it is gone: never two at once.
    autoscaled = scaling.automatic or view.autoscaler(resource.metadata.name) is not None
    ours = resource.spec.server.image is None
    # First, so that servers that start find it. Those of ours that go yet have to hear that a canary is over.
    found = [routing(resource, view)] if ours or runs(resource, view, now) else []
    found += [
        serving_deployment(
            resource,
            choice.model,
            choice.version,
            choice.image,
            view.config,
            copied=_copied(resource, view),
            autoscaled=autoscaled,
        ),
        serving_service(resource),
        serving_disruption_budget(resource),
    ]
    if scaling.automatic:
        found.append(serving_autoscaler(resource))
    if serving.network_policy.enabled:
        found.append(serving_network_policy(resource, serving.network_policy))
    if _is_tried(resource):
        found += _tried(resource, view)
    metrics = endpoints(resource).metrics
    if metrics is not None and serving.pod_monitor.enabled and "PodMonitor" in view.cluster.kinds:
        found.append(serving_pod_monitor(resource, metrics, serving.pod_monitor))
    route = resource.spec.route
    if route is not None and route.gateway_ref is None:
        found.append(serving_ingress(resource, route))
    elif route is not None and route.gateway_ref is not None and "HTTPRoute" in view.cluster.kinds:
        found.append(serving_http_route(resource, route, route.gateway_ref))
    return tuple(found)


def superfluous(
    resource: Deployment, view: View, children: tuple[Child, ...], now: datetime, *, moving: bool
) -> tuple[Ref, ...]:
    """What is there and no longer wanted; while callers are `moving` to another route, the old one stays.

    What was made for a canary that has ended is wanted no more, but stays for a moment.
    """
    kept = {(str(child.manifest["kind"]), child.name) for child in children}
    removable = tuple(kind for kind in REMOVABLE if not (moving and kind in _ROUTES))
    staying = left(view) if runs(resource, view, now) and not _is_tried(resource) else ()
    return tuple(
        _ref(child)
        for child in view.children
        if child["kind"] in removable
        and (child["kind"], child["metadata"]["name"]) not in kept
        and child not in staying
        and "deletionTimestamp" not in child["metadata"]
    )


def routing(resource: Deployment, view: View) -> Child:
    """What stable's servers are told, by status as it is: before that says a weight, no server hears of it."""
    child = routing_config_map(resource, generation(resource.status), forwarding(resource.status))
    live = view.config_map(child.name)
    return replace(child, only_onto=live["metadata"].get("resourceVersion") if live is not None else None)


def _is_tried(resource: Deployment) -> bool:
    """Whether a version is tried beside the one that serves, by servers that can do so."""
    return resource.spec.server.image is None and under_way(resource.status) is not None


def _tried(resource: Deployment, view: View) -> tuple[Child, ...]:
    """The servers of the version that is tried, as many as status says, and the way to them."""
    progress, stable, canary = resource.status.rollout, resource.status.stable, resource.status.canary
    if progress is None or stable is None or canary is None:
        return ()
    scaling, policy = resource.spec.scaling, view.config.serving.network_policy
    servers = min(max(1, canary.replicas), scaling.most)
    autoscaled = scaling.automatic or view.autoscaler(CANARY.name(resource)) is not None
    found = [
        serving_deployment(
            resource,
            stable.model,
            progress.version,
            progress.image,
            view.config,
            copied=False,
            autoscaled=autoscaled,
            role=CANARY,
            replicas=servers,
        ),
        canary_service(resource),
    ]
    if scaling.automatic:
        found.append(serving_autoscaler(resource, CANARY, servers))
    if policy.enabled:
        found.append(canary_network_policy(resource, policy))
    return tuple(found)


def canary_left(resource: Deployment, view: View, now: datetime) -> tuple[Ref, ...]:
    """What was made for a canary that should no longer have servers."""
    if runs(resource, view, now):
        return ()
    return tuple(_ref(child) for child in left(view) if "deletionTimestamp" not in child["metadata"])


def _copied(resource: Deployment, view: View) -> bool:
    """Whether an init container copies the model, where the configuration leaves it open.

    What copies goes on copying: the control plane is upgraded before its nodes, and a Pod that cannot start on the old
    ones would hold up the upgrade.
    """
    if view.config.serving.model_volume != "auto":
        return view.config.serving.model_volume == "copy"
    live = view.deployment(resource.metadata.name)
    inits = live.get("spec", {}).get("template", {}).get("spec", {}).get("initContainers", []) if live else []
    return not view.cluster.image_volumes or any(init["name"] == "model" for init in inits)


def _ref(child: KubeObject) -> Ref:
    metadata = child["metadata"]
    return Ref(child["kind"], metadata["namespace"], metadata["name"], metadata["uid"])

"""Everything that should be there for a version to be served, and what need no longer be."""

from modelwright.api.v1alpha1 import Deployment
from modelwright.children.deployment import serving_deployment
from modelwright.children.endpoints import endpoints
from modelwright.children.horizontalpodautoscaler import serving_autoscaler
from modelwright.children.httproute import serving_http_route
from modelwright.children.ingress import serving_ingress
from modelwright.children.networkpolicy import serving_network_policy
from modelwright.children.poddisruptionbudget import serving_disruption_budget
from modelwright.children.podmonitor import serving_pod_monitor
from modelwright.children.service import serving_service
from modelwright.plan import Child, Ref
from modelwright.reconcilers.choosing import Choice
from modelwright.view import View

REMOVABLE = ("HorizontalPodAutoscaler", "Ingress", "HTTPRoute", "NetworkPolicy", "PodMonitor")
"""What a change of the spec, or of the configuration, can make superfluous."""
_ROUTES = ("Ingress", "HTTPRoute")


def wanted(resource: Deployment, choice: Choice, view: View) -> tuple[Child, ...]:
    """All children of a Deployment that serves `choice`."""
    scaling, serving = resource.spec.scaling, view.config.serving
    # An autoscaler that is no longer wanted scales until it is gone: never two at once.
    autoscaled = scaling.automatic or view.autoscaler(resource.metadata.name) is not None
    found = [
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
    metrics = endpoints(resource).metrics
    if metrics is not None and serving.pod_monitor.enabled and "PodMonitor" in view.cluster.kinds:
        found.append(serving_pod_monitor(resource, metrics, serving.pod_monitor))
    route = resource.spec.route
    if route is not None and route.gateway_ref is None:
        found.append(serving_ingress(resource, route))
    elif route is not None and route.gateway_ref is not None and "HTTPRoute" in view.cluster.kinds:
        found.append(serving_http_route(resource, route, route.gateway_ref))
    return tuple(found)


def superfluous(view: View, children: tuple[Child, ...], *, moving: bool) -> tuple[Ref, ...]:
    """What is there and no longer wanted; while callers are `moving` to another route, the old one stays."""
    kept = {(str(child.manifest["kind"]), child.name) for child in children}
    removable = tuple(kind for kind in REMOVABLE if not (moving and kind in _ROUTES))
    return tuple(
        Ref(child["kind"], child["metadata"]["namespace"], child["metadata"]["name"], child["metadata"]["uid"])
        for child in view.children
        if child["kind"] in removable
        and (child["kind"], child["metadata"]["name"]) not in kept
        and "deletionTimestamp" not in child["metadata"]
    )


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

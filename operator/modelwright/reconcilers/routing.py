"""Whether the host under which a Deployment should be reached has been taken by a Gateway or an ingress controller."""

from dataclasses import dataclass

from modelwright.api.v1alpha1 import Deployment
from modelwright.api.v1alpha1.route import GatewayReference, Route
from modelwright.objects import HttpRoute, Ingress, RouteCondition, RouteParentStatus
from modelwright.observe import Blocked
from modelwright.view import View


@dataclass(frozen=True, slots=True)
class Routed:
    """What the condition `Routed` says; `blocked` where that keeps the spec from being fulfilled."""

    holds: bool
    reason: str
    message: str
    blocked: Blocked | None = None


def routed(resource: Deployment, view: View) -> Routed | None:
    """The state of the route, or None where the spec has none."""
    route = resource.spec.route
    if route is None:
        return None
    if route.gateway_ref is None:
        return _by_ingress(route, view.ingress(resource.metadata.name), resource)
    if "HTTPRoute" not in view.cluster.kinds:
        words = (
            "the cluster has no HTTPRoute; install the Gateway API, or write spec.route.ingressClassName instead of "
            "gatewayRef"
        )
        return _blocked("RouteKindMissing", words, resource.metadata.creation_timestamp)
    return _by_gateway(route.gateway_ref, view.http_route(resource.metadata.name), resource)


def _by_ingress(route: Route, ingress: Ingress | None, resource: Deployment) -> Routed:
    """An address is the only sign that a controller gives, and some give none: it does not decide on Ready."""
    addresses = ingress.get("status", {}).get("loadBalancer", {}).get("ingress", []) if ingress is not None else []
    if addresses:
        where = addresses[0].get("hostname") or addresses[0].get("ip", "")
        return Routed(True, "RouteAccepted", f"{route.host} is served by the ingress controller at {where}")
    class_ = f"class {route.ingress_class_name}" if route.ingress_class_name else "the default class"
    words = f"no ingress controller of {class_} has given Ingress {resource.metadata.name} an address yet"
    return Routed(False, "RoutePending", f"{words}; check that one runs")


def _by_gateway(gateway: GatewayReference, route: HttpRoute | None, resource: Deployment) -> Routed:
    namespace = gateway.namespace or resource.metadata.namespace
    where = f"Gateway {namespace}/{gateway.name}"
    pending = f"no controller has taken the HTTPRoute for {where} yet; check that it exists and what runs it"
    if route is None:
        return _blocked("RoutePending", pending, resource.metadata.creation_timestamp)
    since, generation = route["metadata"]["creationTimestamp"], route["metadata"].get("generation", 0)
    answers = [
        parent
        for parent in route.get("status", {}).get("parents", [])
        if _is_of(parent, gateway, namespace, resource.metadata.namespace)
    ]
    said = [condition for parent in answers for condition in parent.get("conditions", [])]
    current = [condition for condition in said if condition.get("observedGeneration", generation) >= generation]
    for condition in current:
        if condition["type"] in ("Accepted", "ResolvedRefs") and condition["status"] == "False":
            return _blocked(
                "RouteRejected", f"{where}: {_quoted(condition)}", condition.get("lastTransitionTime", since)
            )
    if any(condition["type"] == "Accepted" and condition["status"] == "True" for condition in current):
        return Routed(True, "RouteAccepted", f"{where} routes to it")
    return _blocked("RoutePending", pending, since)


def _is_of(parent: RouteParentStatus, gateway: GatewayReference, namespace: str, own: str) -> bool:
    """Whether this is about the Gateway that the spec names, and not about one that it named before."""
    about = parent.get("parentRef", {})
    return (about.get("name"), about.get("namespace", own)) == (gateway.name, namespace) and (
        about.get("sectionName") == gateway.section_name
    )


def _quoted(condition: RouteCondition) -> str:
    message = condition.get("message", "").strip()
    return f"{condition['type']} is False, {condition.get('reason', '')}" + (f": {message}" if message else "")


def _blocked(reason: str, message: str, since: str) -> Routed:
    return Routed(False, reason, message, Blocked(reason, message, since))

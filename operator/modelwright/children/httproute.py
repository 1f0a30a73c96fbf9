"""HTTPRoutes of the Gateway API."""

from modelwright.api.v1alpha1 import Deployment
from modelwright.api.v1alpha1.route import GatewayReference, Route
from modelwright.children.role import STABLE
from modelwright.children.service import http_port
from modelwright.plan import Child, JsonObject


def serving_http_route(resource: Deployment, route: Route, gateway: GatewayReference) -> Child:
    """A host name of a Gateway, in front of the Service."""
    name = resource.metadata.name
    rule: JsonObject = {
        "matches": [{"path": {"type": "PathPrefix", "value": route.path}}],
        "backendRefs": [{"name": name, "port": http_port(resource)}],
    }
    return Child(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": STABLE.metadata(resource, dict(route.annotations)),
            "spec": {
                "parentRefs": [gateway.model_dump(by_alias=True, exclude_none=True)],
                "hostnames": [route.host],
                "rules": [rule],
            },
        },
        mode="apply",
    )

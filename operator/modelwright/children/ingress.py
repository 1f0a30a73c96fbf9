"""Ingresses."""

from modelwright.api.v1alpha1 import Deployment
from modelwright.api.v1alpha1.route import Route
from modelwright.children.role import STABLE
from modelwright.children.service import http_port_name
from modelwright.plan import Child, JsonObject


def serving_ingress(resource: Deployment, route: Route) -> Child:
    """A host name of an ingress controller, in front of the Service."""
    name = resource.metadata.name
    backend = {"service": {"name": name, "port": {"name": http_port_name(resource)}}}
    spec: JsonObject = {
        "rules": [
            {
                "host": route.host,
                "http": {"paths": [{"path": route.path, "pathType": "Prefix", "backend": backend}]},
            }
        ],
    }
    if route.ingress_class_name is not None:
        spec["ingressClassName"] = route.ingress_class_name
    if route.tls is not None:
        spec["tls"] = [{"hosts": [route.host], "secretName": route.tls.secret_name}]
    return Child(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": STABLE.metadata(resource, dict(route.annotations)),
            "spec": spec,
        },
        mode="apply",
    )

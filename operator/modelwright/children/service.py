"""Services."""

from modelwright import names
from modelwright.api.v1alpha1 import Deployment
from modelwright.children.owner import owned_metadata
from modelwright.plan import Child

HTTP_PORT = 80


def serving_service(resource: Deployment) -> Child:
    """The address of a served model."""
    name = resource.metadata.name
    return Child(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": owned_metadata(resource, name, "serve"),
            "spec": {
                "selector": dict(names.selector(resource.kind, name, "serve")),
                "ports": [{"name": "http", "port": HTTP_PORT, "targetPort": "http", "protocol": "TCP"}],
            },
        },
        mode="apply",
    )


def url(resource: Deployment) -> str:
    """Where the model answers inside the cluster."""
    return f"http://{resource.metadata.name}.{resource.metadata.namespace}.svc.cluster.local"

"""Services."""

from modelwright import names
from modelwright.api.v1alpha1 import Deployment
from modelwright.children.deployment import STEP
from modelwright.children.endpoints import GRPC_PORT, endpoints
from modelwright.children.owner import owned_metadata
from modelwright.plan import Child, JsonObject


def serving_service(resource: Deployment) -> Child:
    """The address of a served model: HTTP on its scheme's own port, gRPC on 8081."""
    name, listening = resource.metadata.name, endpoints(resource)
    ports = [_port(http_port_name(resource), 443 if listening.tls else 80, "http")]
    if "grpc" in listening.ports:
        ports.append(_port("grpc", GRPC_PORT, "grpc"))
    return Child(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": owned_metadata(resource, name, STEP),
            "spec": {"selector": dict(names.selector(resource.kind, name, STEP)), "ports": ports},
        },
        mode="apply",
    )


def url(resource: Deployment) -> str:
    """Where the model answers inside the cluster."""
    return f"{http_port_name(resource)}://{resource.metadata.name}.{resource.metadata.namespace}.svc.cluster.local"


def http_port_name(resource: Deployment) -> str:
    """The name of the Service's port for HTTP, which is its scheme."""
    return "https" if endpoints(resource).tls else "http"


def http_port(resource: Deployment) -> int:
    """The number of the Service's port for HTTP."""
    return 443 if endpoints(resource).tls else 80


def _port(name: str, port: int, target: str) -> JsonObject:
    return {"name": name, "port": port, "targetPort": target, "protocol": "TCP"}

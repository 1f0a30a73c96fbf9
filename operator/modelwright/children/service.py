"""Services."""

from modelwright.api.v1alpha1 import Deployment
from modelwright.children.endpoints import GRPC_PORT, endpoints
from modelwright.children.role import CANARY, STABLE, Role
from modelwright.plan import Child, JsonObject


def serving_service(resource: Deployment) -> Child:
    """The address of a served model: HTTP on its scheme's own port, gRPC on 8081."""
    ports = [_http_port(resource)]
    if "grpc" in endpoints(resource).ports:
        ports.append(_port("grpc", GRPC_PORT, "grpc"))
    return _service(resource, STABLE, ports)


def canary_service(resource: Deployment) -> Child:
    """The address at which stable's servers find those of the version that is tried."""
    return _service(resource, CANARY, [_http_port(resource)])


def url(resource: Deployment) -> str:
    """Where the model answers inside the cluster."""
    return f"{http_port_name(resource)}://{resource.metadata.name}.{resource.metadata.namespace}.svc.cluster.local"


def http_port_name(resource: Deployment) -> str:
    """The name of the Service's port for HTTP, which is its scheme."""
    return "https" if endpoints(resource).tls else "http"


def http_port(resource: Deployment) -> int:
    """The number of the Service's port for HTTP."""
    return 443 if endpoints(resource).tls else 80


def _service(resource: Deployment, role: Role, ports: list[JsonObject]) -> Child:
    return Child(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": role.metadata(resource),
            "spec": {"selector": dict(role.selector(resource)), "ports": ports},
        },
        mode="apply",
    )


def _http_port(resource: Deployment) -> JsonObject:
    return _port(http_port_name(resource), http_port(resource), "http")


def _port(name: str, port: int, target: str) -> JsonObject:
    return {"name": name, "port": port, "targetPort": target, "protocol": "TCP"}

"""Where a Deployment's servers listen, whichever server they run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from modelwright.api.v1alpha1 import Deployment
from modelwright.api.v1alpha1.server import MetricsEndpoint, Probe, Server

HTTP_PORT: Final = 8080
GRPC_PORT: Final = 8081
MANAGEMENT_PORT: Final = 8082
"""Health, metrics and counters of our own server: plain HTTP, without a token, and never behind the Service."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked by HTTP GET."""

    path: str
    port: int


@dataclass(frozen=True, slots=True)
class Endpoints:
    """`ports` are the container's by name; `http` and, where there is one, `grpc` are for callers."""

    ports: Mapping[str, int]
    readiness: Target
    liveness: Target | None
    metrics: Target | None
    tls: bool = False

    @property
    def for_callers(self) -> tuple[int, ...]:
        """The ports that answer predictions."""
        return tuple(port for name, port in self.ports.items() if name in ("http", "grpc"))

    def name_of(self, port: int) -> str:
        """The name under which the container has this port."""
        return next(name for name, number in self.ports.items() if number == port)


_OURS: Final = Endpoints(
    ports={"http": HTTP_PORT, "grpc": GRPC_PORT, "management": MANAGEMENT_PORT},
    readiness=Target("/v2/health/ready", MANAGEMENT_PORT),
    liveness=Target("/v2/health/live", MANAGEMENT_PORT),
    metrics=Target("/metrics", MANAGEMENT_PORT),
)
_OURS_WITH_TLS: Final = Endpoints(_OURS.ports, _OURS.readiness, _OURS.liveness, _OURS.metrics, tls=True)


def endpoints(resource: Deployment) -> Endpoints:
    """Where the servers of this Deployment listen."""
    server = resource.spec.server
    if server.image is None:
        return _OURS if server.tls is None else _OURS_WITH_TLS
    http = server.port or HTTP_PORT
    metrics = _target(server.metrics, http)
    ports = {"http": http}
    if server.grpc_port is not None:
        ports["grpc"] = server.grpc_port
    if metrics is not None and metrics.port not in ports.values():
        ports["metrics"] = metrics.port
    return Endpoints(ports, _readiness(server, http), _target(server.liveness, http), metrics)


def _readiness(server: Server, http: int) -> Target:
    return _target(server.readiness, http) or Target("/v2/health/ready", http)


def _target(told: Probe | MetricsEndpoint | None, http: int) -> Target | None:
    return None if told is None else Target(told.path, told.port or http)

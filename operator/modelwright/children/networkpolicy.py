"""NetworkPolicies."""

from collections.abc import Sequence

from modelwright.api.v1alpha1 import Deployment
from modelwright.api.v1alpha1.callers import Peer
from modelwright.children.endpoints import HTTP_PORT, MANAGEMENT_PORT, Endpoints, endpoints
from modelwright.children.role import CANARY, STABLE, Role
from modelwright.config import ServingPolicy
from modelwright.plan import Child, JsonObject

_DNS = [
    {"namespaceSelector": {}},
    # Where each node has a DNS cache of its own, it answers at a link-local address.
    {"ipBlock": {"cidr": "169.254.0.0/16"}},
]


def serving_network_policy(resource: Deployment, policy: ServingPolicy) -> Child:
    """Callers reach the ports for predictions, Prometheus and the operator those for them; servers reach DNS only.

    Our own also reach a canary's, whether there is one or not. What the kubelet asks is admitted by every network
    plugin. Policies add up: another one may allow more.
    """
    listening = endpoints(resource)
    callers = [_rule(resource.spec.server.callers or policy.callers, listening.for_callers)]
    egress: list[JsonObject] = [{"to": _DNS, "ports": [_port(53, protocol) for protocol in ("UDP", "TCP")]}]
    if resource.spec.server.image is None:
        egress.append({"to": [_pods(resource, CANARY)], "ports": [_port(HTTP_PORT)]})
    return _policy(resource, STABLE, [*callers, *_watchers(listening, policy)], egress)


def canary_network_policy(resource: Deployment, policy: ServingPolicy) -> Child:
    """Only stable's servers ask those of the version that is tried, and these reach nobody."""
    asked: JsonObject = {"from": [_pods(resource, STABLE)], "ports": [_port(HTTP_PORT)]}
    return _policy(resource, CANARY, [asked, *_watchers(endpoints(resource), policy)], [])


def _watchers(listening: Endpoints, policy: ServingPolicy) -> list[JsonObject]:
    """Who reads health, metrics and counters."""
    if "management" in listening.ports:
        return [_rule([policy.operator, *policy.prometheus], [MANAGEMENT_PORT])]
    if listening.metrics is not None and policy.prometheus:
        return [_rule(policy.prometheus, [listening.metrics.port])]
    return []


def _policy(resource: Deployment, role: Role, ingress: list[JsonObject], egress: list[JsonObject]) -> Child:
    return Child(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": role.metadata(resource),
            "spec": {
                "podSelector": {"matchLabels": dict(role.selector(resource))},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": ingress,
                **({"egress": egress} if egress else {}),
            },
        },
        mode="apply",
    )


def _rule(peers: Sequence[Peer], ports: Sequence[int]) -> JsonObject:
    """Connections of these peers to these ports; no peers means everyone."""
    rule: JsonObject = {"ports": [_port(port) for port in ports]}
    if peers:
        rule["from"] = [peer.model_dump(by_alias=True, exclude_defaults=True) for peer in peers]
    return rule


def _pods(resource: Deployment, role: Role) -> JsonObject:
    return {"podSelector": {"matchLabels": dict(role.selector(resource))}}


def _port(number: int, protocol: str = "TCP") -> JsonObject:
    return {"port": number, "protocol": protocol}

"""NetworkPolicies."""

from collections.abc import Sequence

from modelwright import names
from modelwright.api.v1alpha1 import Deployment
from modelwright.api.v1alpha1.callers import Peer
from modelwright.children.deployment import STEP
from modelwright.children.endpoints import endpoints
from modelwright.children.owner import owned_metadata
from modelwright.config import ServingPolicy
from modelwright.plan import Child, JsonObject

_DNS = [
    {"namespaceSelector": {}},
    # Where each node has a DNS cache of its own, it answers at a link-local address.
    {"ipBlock": {"cidr": "169.254.0.0/16"}},
]


def serving_network_policy(resource: Deployment, policy: ServingPolicy) -> Child:
    """Callers reach the ports for predictions, Prometheus and the operator those for them; servers reach DNS only.

    What the kubelet asks is admitted by every network plugin. Policies add up: another one may allow more.
    """
    name, listening = resource.metadata.name, endpoints(resource)
    ingress = [_rule(resource.spec.server.callers or policy.callers, listening.for_callers)]
    if "management" in listening.ports:
        ingress.append(_rule([policy.operator, *policy.prometheus], [listening.ports["management"]]))
    elif listening.metrics is not None and policy.prometheus:
        ingress.append(_rule(policy.prometheus, [listening.metrics.port]))
    dns: list[JsonObject] = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    return Child(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": owned_metadata(resource, name, STEP),
            "spec": {
                "podSelector": {"matchLabels": dict(names.selector(resource.kind, name, STEP))},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": ingress,
                "egress": [{"to": _DNS, "ports": dns}],
            },
        },
        mode="apply",
    )


def _rule(peers: Sequence[Peer], ports: Sequence[int]) -> JsonObject:
    """Connections of these peers to these ports; no peers means everyone."""
    rule: JsonObject = {"ports": [{"port": port, "protocol": "TCP"} for port in ports]}
    if peers:
        rule["from"] = [peer.model_dump(by_alias=True, exclude_defaults=True) for peer in peers]
    return rule

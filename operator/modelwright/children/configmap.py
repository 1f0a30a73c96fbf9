"""ConfigMaps."""

import json
from dataclasses import dataclass
from typing import Final

from modelwright import durations
from modelwright.api.v1alpha1 import Deployment
from modelwright.children.owner import owned_metadata
from modelwright.children.role import CANARY, STABLE
from modelwright.children.service import http_port, http_port_name
from modelwright.plan import Child, JsonObject

ROUTING_KEY: Final = "routing.json"


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What of the requests goes to the canary: `weight` percent of them, to servers of `version`.

    Answers that take longer than `slow_s` are counted as slow; with None, none are.
    """

    version: str
    weight: int
    slow_s: float | None = None


def routing_name(resource: Deployment) -> str:
    """The ConfigMap that tells stable's servers which requests the canary answers."""
    return f"{resource.metadata.name}-routing"


def routing_config_map(resource: Deployment, generation: int, forwarding: Forwarding | None) -> Child:
    """What stable's servers do from `generation` on; without `forwarding` they answer everything themselves."""
    told: JsonObject = {"generation": generation}
    if forwarding is not None:
        told["canary"] = _canary(resource, forwarding)
    return Child(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": owned_metadata(resource, routing_name(resource), STABLE.step),
            "data": {ROUTING_KEY: json.dumps(told, separators=(",", ":"))},
        },
        mode="apply",
    )


def _canary(resource: Deployment, forwarding: Forwarding) -> JsonObject:
    rollout = resource.spec.rollout
    host = f"{CANARY.name(resource)}.{resource.metadata.namespace}.svc"
    return {
        "url": f"{http_port_name(resource)}://{host}:{http_port(resource)}",
        "version": forwarding.version,
        "weight": f"{forwarding.weight / 100:g}",
        "deadlineSeconds": durations.parse(rollout.deadline).total_seconds(),
        "stickyHeader": rollout.sticky_header,
        "compare": rollout.analysis.sample,
        "slowSeconds": forwarding.slow_s or 0,
    }

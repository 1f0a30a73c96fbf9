"""PodMonitors of the Prometheus operator."""

from modelwright import names
from modelwright.api.v1alpha1 import Deployment
from modelwright.children.deployment import STEP
from modelwright.children.endpoints import Target, endpoints
from modelwright.children.owner import owned_metadata
from modelwright.config import ServingMonitor
from modelwright.plan import Child, JsonObject


def serving_pod_monitor(resource: Deployment, metrics: Target, monitor: ServingMonitor) -> Child:
    """Every server's metrics, with the Deployment's name as a label."""
    name = resource.metadata.name
    metadata = owned_metadata(resource, name, STEP)
    # Ours come last: they are how the operator knows its own.
    labels = {**monitor.labels, **names.labels(resource.kind, name, STEP)}
    endpoint: JsonObject = {
        "port": endpoints(resource).name_of(metrics.port),
        "path": metrics.path,
        "interval": monitor.interval,
    }
    return Child(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PodMonitor",
            "metadata": {**metadata, "labels": labels},
            "spec": {
                "selector": {"matchLabels": dict(names.selector(resource.kind, name, STEP))},
                "podTargetLabels": [names.NAME_LABEL],
                "podMetricsEndpoints": [endpoint],
            },
        },
        mode="apply",
    )

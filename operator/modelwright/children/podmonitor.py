"""PodMonitors of the Prometheus operator."""

from modelwright import names
from modelwright.api.v1alpha1 import Deployment
from modelwright.children.endpoints import Target, endpoints
from modelwright.children.role import CANARY, STABLE
from modelwright.config import ServingMonitor
from modelwright.plan import Child, JsonObject


def serving_pod_monitor(resource: Deployment, metrics: Target, monitor: ServingMonitor) -> Child:
    """Every server's metrics, a canary's too, with the Deployment's name and which of the two it is as labels."""
    metadata = STABLE.metadata(resource)
    # Ours come last: they are how the operator knows its own.
    labels = {**monitor.labels, **STABLE.labels(resource)}
    either = {"key": names.STEP_LABEL, "operator": "In", "values": [STABLE.step, CANARY.step]}
    of_both = {name: text for name, text in STABLE.selector(resource).items() if name != names.STEP_LABEL}
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
                "selector": {"matchLabels": of_both, "matchExpressions": [either]},
                "podTargetLabels": [names.NAME_LABEL, names.STEP_LABEL],
                "podMetricsEndpoints": [endpoint],
            },
        },
        mode="apply",
    )

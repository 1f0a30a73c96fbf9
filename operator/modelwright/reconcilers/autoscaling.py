"""What the autoscaler of a Deployment's servers says, as a fact and its remedy."""

from dataclasses import dataclass
from typing import Final

from modelwright.api.v1alpha1 import Deployment
from modelwright.children.deployment import server_resources
from modelwright.objects import Autoscaler
from modelwright.observe import Blocked
from modelwright.quantities import parse
from modelwright.reconcilers.rollout import Rollout
from modelwright.view import View

_NO_METRICS_API: Final = "metrics.k8s.io"
"""Quoted by the autoscaler where nobody answers for that API group."""


@dataclass(frozen=True, slots=True)
class Autoscaled:
    """What the condition `Autoscaled` says; `blocked` where that keeps the spec from being fulfilled."""

    holds: bool
    reason: str
    message: str
    blocked: Blocked | None = None


def autoscaled(resource: Deployment, view: View, progress: Rollout, lacking: Blocked | None) -> Autoscaled | None:
    """The state of the autoscaler, or None where the spec has none.

    `lacking` is what has kept servers that the autoscaler wants from being ready for long.
    """
    scaling = resource.spec.scaling
    if not scaling.automatic:
        return None
    if refusal := _without_request(resource, view):
        since = resource.metadata.creation_timestamp
        return Autoscaled(False, "RequestMissing", refusal, Blocked("RequestMissing", refusal, since))
    if lacking is not None:
        words = f"{progress.ready} of {progress.wanted} servers run: {lacking.message}"
        return Autoscaled(False, "CapacityMissing", f"{words}; or lower spec.scaling.maxReplicas")
    autoscaler = view.autoscaler(resource.metadata.name)
    if autoscaler is not None and (trouble := _trouble(autoscaler)):
        return trouble
    if autoscaler is None or not _measures(autoscaler):
        return Autoscaled(False, "AutoscalerPending", "the autoscaler has not measured the servers yet")
    words = f"{scaling.min_replicas} to {scaling.most} servers, by {scaling.measured} at {scaling.percentage} %"
    return Autoscaled(True, "AutoscalerActive", words)


def _without_request(resource: Deployment, view: View) -> str:
    """Why nothing can be measured in percent of what a server requests; empty where it can."""
    measured, resources = resource.spec.scaling.measured, server_resources(resource, view.config.defaults.serve)
    # The API server takes a limit for the request that is left out.
    request = resources.requests.get(measured) or resources.limits.get(measured)
    if request is not None and parse(request) > 0:
        return ""
    return (
        f"the target is in percent of the {measured} that a server requests, and it requests none; write "
        f"spec.server.resources.requests.{measured}, or another spec.scaling.metric"
    )


def _measures(autoscaler: Autoscaler) -> bool:
    said = {one["type"]: one["status"] for one in autoscaler.get("status", {}).get("conditions", [])}
    return said.get("AbleToScale") == "True" and said.get("ScalingActive") == "True"


def _trouble(autoscaler: Autoscaler) -> Autoscaled | None:
    """Why the autoscaler leaves the servers as many as they are."""
    for condition in autoscaler.get("status", {}).get("conditions", []):
        if condition["status"] != "False":
            continue
        reason, words = condition.get("reason", ""), condition.get("message", "").strip().rstrip(".")
        if not reason.endswith("ResourceMetric"):
            return Autoscaled(False, "AutoscalerFailed", f"{condition['type']} is False, {reason}: {words}")
        if _NO_METRICS_API not in words:
            # So it is for the first minute of a server, too.
            return Autoscaled(False, "AutoscalerPending", words)
        remedy = "install metrics-server, or mend it; until then the servers stay as many as they are"
        return Autoscaled(False, "MetricsMissing", f"{words}; {remedy}")
    return None

"""HorizontalPodAutoscalers."""

from modelwright.api.v1alpha1 import Deployment
from modelwright.children.deployment import SERVER, STEP
from modelwright.children.owner import owned_metadata
from modelwright.plan import Child, JsonObject


def serving_autoscaler(resource: Deployment) -> Child:
    """As many servers as keep what each uses near its target, measured at the server's own container.

    A sidecar that another hand adds neither counts nor, having no request, stops the scaling.
    """
    name, scaling = resource.metadata.name, resource.spec.scaling
    target = {"type": "Utilization", "averageUtilization": scaling.percentage}
    used = {"name": scaling.measured, "container": SERVER, "target": target}
    spec: JsonObject = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": scaling.min_replicas,
        "maxReplicas": scaling.most,
        "metrics": [{"type": "ContainerResource", "containerResource": used}],
    }
    if scaling.behavior is not None:
        behavior = scaling.behavior.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
        if behavior:
            spec["behavior"] = behavior
    return Child(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": owned_metadata(resource, name, STEP),
            "spec": spec,
        },
        mode="apply",
    )

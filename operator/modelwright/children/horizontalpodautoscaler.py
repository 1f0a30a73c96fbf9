"""HorizontalPodAutoscalers."""

from modelwright.api.v1alpha1 import Deployment
from modelwright.children.deployment import SERVER
from modelwright.children.role import STABLE, Role
from modelwright.plan import Child, JsonObject


def serving_autoscaler(resource: Deployment, role: Role = STABLE, least: int | None = None) -> Child:
    """As many servers as keep what each uses near its target, measured at the server's own container.

    A sidecar that another hand adds neither counts nor, having no request, stops the scaling. There are `least` of them
    at least; without it `minReplicas`, and one of a canary, which needs its share before the requests come, not after.
    """
    scaling = resource.spec.scaling
    target = {"type": "Utilization", "averageUtilization": scaling.percentage}
    used = {"name": scaling.measured, "container": SERVER, "target": target}
    spec: JsonObject = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": role.name(resource)},
        "minReplicas": least or (scaling.min_replicas if role is STABLE else 1),
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
            "metadata": role.metadata(resource),
            "spec": spec,
        },
        mode="apply",
    )

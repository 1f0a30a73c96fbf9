"""PodDisruptionBudgets."""

from modelwright import names
from modelwright.api.v1alpha1 import Deployment
from modelwright.children.deployment import STEP
from modelwright.children.owner import owned_metadata
from modelwright.plan import Child


def serving_disruption_budget(resource: Deployment) -> Child:
    """Nodes that are drained take one server at a time.

    A single server can always be taken, and one that is not ready always too: no drain waits for ever.
    """
    name = resource.metadata.name
    return Child(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": owned_metadata(resource, name, STEP),
            "spec": {
                "selector": {"matchLabels": dict(names.selector(resource.kind, name, STEP))},
                "maxUnavailable": 1,
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
            },
        },
        mode="apply",
    )

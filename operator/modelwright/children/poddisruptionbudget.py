"""PodDisruptionBudgets."""

from modelwright.api.v1alpha1 import Deployment
from modelwright.children.role import STABLE
from modelwright.plan import Child


def serving_disruption_budget(resource: Deployment) -> Child:
    """Nodes that are drained take one server at a time.

    A single server can always be taken, and one that is not ready always too: no drain waits for ever.
    """
    return Child(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": STABLE.metadata(resource),
            "spec": {
                "selector": {"matchLabels": dict(STABLE.selector(resource))},
                "maxUnavailable": 1,
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
            },
        },
        mode="apply",
    )

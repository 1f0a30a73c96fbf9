"""How far the apps/v1 Deployment has come with what it should serve."""

from dataclasses import dataclass

from modelwright.objects import AppsDeployment
from modelwright.reconcilers.choosing import template_image


@dataclass(frozen=True, slots=True)
class Rollout:
    """What Kubernetes says of the servers; `wanted` are those that should run, `ready` those that answer.

    `least` of them must be ready: all, or `minReplicas` where an autoscaler wants more or fewer with the load.
    """

    wanted: int
    least: int
    ready: int = 0
    of_newest: int = 0
    """Pods that are of the newest template."""
    updated: bool = False
    """All Pods are of the chosen version and the newest template, and no other is left."""

    @property
    def running(self) -> str:
        """How many servers run, and of how many where some are lacking."""
        return str(self.wanted) if self.ready >= self.wanted else f"{self.ready} of {self.wanted} servers"

    @property
    def done(self) -> bool:
        """What `kubectl rollout status` waits for, but for servers that only the load asks for."""
        return self.updated and self.ready >= self.least


def rollout(live: AppsDeployment | None, image: str, *, least: int, most: int, seen: bool) -> Rollout:
    """The rollout of `image` to as many servers as should run: from `least` to `most`.

    `seen` tells whether an earlier pass has applied the spec as it is now.
    """
    if live is None:
        return Rollout(least, least)
    status, there = live.get("status", {}), live.get("spec", {}).get("replicas", least)
    wanted = min(max(there, least), most)
    ready, of_newest = status.get("availableReplicas", 0), status.get("updatedReplicas", 0)
    observed = status.get("observedGeneration", -1) >= live["metadata"].get("generation", 0)
    alone = of_newest >= least and status.get("replicas", 0) <= of_newest
    updated = seen and observed and alone and there == wanted and template_image(live) == image
    return Rollout(wanted, least, ready, of_newest, updated)


def answering(live: AppsDeployment | None) -> int:
    """How many servers are ready, of whatever version."""
    return 0 if live is None else live.get("status", {}).get("readyReplicas", 0)

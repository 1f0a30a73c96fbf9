"""Whether the servers of the version that is tried can be given requests, and whose fault it is where they can't."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from modelwright import trouble
from modelwright.api.v1alpha1 import Deployment
from modelwright.children.deployment import SERVER
from modelwright.children.role import CANARY, Role
from modelwright.conditions import moment
from modelwright.names import STEP_LABEL
from modelwright.objects import AppsDeployment, Pod
from modelwright.observe import Blocked
from modelwright.reconcilers.rollout import Rollout, answering, rollout
from modelwright.reconcilers.steps import patience
from modelwright.view import View

_ITS_OWN: Final = frozenset({"CrashLoop", "OutOfMemory", "ImageInvalid"})
"""Faults of the version itself, once they last."""
_NOT_PULLED: Final = "ImagePullFailed"
"""A fault of the version where it lasts for the whole progressDeadline: a registry may be away for some minutes."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why the version is to be taken back: a verdict's reason, and the sentence with what was seen."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class CanaryServers:
    """What Kubernetes says of them; `hindrance` is what keeps them from being ready, if it is known."""

    live: AppsDeployment | None
    pods: tuple[Pod, ...]
    hindrance: Blocked | None

    @classmethod
    def of(cls, resource: Deployment, view: View) -> "CanaryServers":
        """Those that are there."""
        live, pods = view.deployment(CANARY.name(resource)), of_role(view.pods, CANARY)
        return cls(live, pods, hindrance(view, live, pods))

    @property
    def ready(self) -> int:
        """How many are ready."""
        return answering(self.live)

    def rollout(self, resource: Deployment, image: str, least: int) -> Rollout:
        """How far they have come with being of this image, and at least so many."""
        seen = resource.status.observed_generation == resource.metadata.generation
        return rollout(self.live, image, least=least, most=max(least, resource.spec.scaling.most), seen=seen)

    def fault(self, *, tried: bool, began: datetime, deadline: timedelta, now: datetime) -> Fault | None:
        """What of all that keeps them from being ready is the version's own fault, and has lasted for long enough.

        `tried` says that all were ready once: from then on it is not that its image can't be pulled or does not start.
        They have `deadline` from when they run, not before `began`.
        """
        found, ends = self.hindrance, trouble.of_ends(self.pods, trouble.PERSISTENT_RESTARTS)
        if found is not None and found.reason in _ITS_OWN and patience(found, now)[0]:
            return _as_fault(found)
        if tried:
            # Ready in between, they may well answer as they should: it ends with the memory or with a certain request.
            return None if ends is None else Fault(ends.reason, f"{ends.message}, and not for the first time")
        if found is not None and found.reason in _ITS_OWN:
            return None
        if found is not None and found.reason == _NOT_PULLED:
            return _as_fault(found) if now >= max(began, moment(found.since)) + deadline else None
        waiting = [moment(since) for pod in self.pods if (since := _running_unready_since(pod))]
        if not waiting or now < max(began, *waiting) + deadline:
            return None
        words = "its servers run, but were not ready within spec.rollout.progressDeadline"
        return Fault("ProgressDeadlineExceeded", words)

    def because(self, found: Fault) -> Fault:
        """A fault that figures tell, with its cause: requests failed because a server ended, where one has."""
        ended = trouble.of_ends(self.pods, 1) if found.reason == "ErrorRate" else None
        return found if ended is None else Fault(ended.reason, f"{found.message}; {ended.message}")


def of_role(pods: Iterable[Pod], role: Role) -> tuple[Pod, ...]:
    """The Pods that are for stable, or for the canary; without those that a node has given up, which others replace."""
    return tuple(
        pod
        for pod in pods
        if (pod["metadata"].get("labels", {}).get(STEP_LABEL) == CANARY.step) == (role is CANARY)
        and pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")
    )


def hindrance(view: View, live: AppsDeployment | None, pods: Iterable[Pod]) -> Blocked | None:
    """What keeps these servers, of this apps/v1 Deployment, from being ready, if anything but time does."""
    return trouble.of_servers(pods, view.refusals) or (trouble.of_deployment(live) if live is not None else None)


def _as_fault(found: Blocked) -> Fault:
    return Fault(found.reason, found.message)


def _running_unready_since(pod: Pod) -> str:
    """Since when the Pod's server has been running without being ready; empty where it is not so."""
    for container in pod.get("status", {}).get("containerStatuses", []):
        if container["name"] == SERVER and not container.get("ready", False):
            return container.get("state", {}).get("running", {}).get("startedAt", "")
    return ""

"""What follows from `status.rollout` alone: what servers are told, and which version they are of.

Nothing is made before status says it. An operator that dies between two writes leaves nothing behind that the next one
does not know of, and whoever has an old status makes what was right then, never more.
"""

from datetime import datetime, timedelta
from typing import Final

from modelwright.api.v1alpha1 import Deployment, DeploymentStatus
from modelwright.api.v1alpha1.rollout import RolloutProgress
from modelwright.children.configmap import Forwarding
from modelwright.children.role import CANARY, STABLE
from modelwright.conditions import moment
from modelwright.live import Live
from modelwright.names import ROUTING_ANNOTATION, STEP_LABEL
from modelwright.objects import KubeObject
from modelwright.plan import Ref, Touch
from modelwright.reconcilers.canary_servers import of_role
from modelwright.reconcilers.canary_steps import share
from modelwright.reconcilers.choosing import Choice
from modelwright.reconcilers.quarantine import digest_of
from modelwright.view import View

FORGETTING: Final = {
    "Promoted": timedelta(seconds=45),
    "Rejected": timedelta(seconds=30),
    "Superseded": timedelta(seconds=30),
}
"""By the verdict: how long the canary's servers stay at most for the sake of stable's that have not heard of it. The
last of those that were replaced by a promotion have just been told to end, and may take so long.
"""


def under_way(status: DeploymentStatus) -> RolloutProgress | None:
    """The canary rollout that has no verdict yet."""
    return status.rollout if status.rollout is not None and not status.rollout.verdict else None


def weight(progress: RolloutProgress) -> int:
    """Percent of the requests that the canary is to answer."""
    return progress.spans[-1].weight if progress.spans and not progress.verdict else 0


def promoting(progress: RolloutProgress) -> bool:
    """Whether it has passed: stable's servers are being replaced by servers of its version."""
    return not progress.verdict and progress.steps > 0 and progress.step >= progress.steps


def generation(status: DeploymentStatus) -> int:
    """The generation of what stable's servers are told."""
    return status.rollout.generation if status.rollout is not None else 0


def forwarding(status: DeploymentStatus) -> Forwarding | None:
    """What stable's servers are told of the canary, if it is to get requests."""
    progress = status.rollout
    if progress is None or not weight(progress):
        return None
    bound_us = progress.spans[-1].slow_microseconds
    return Forwarding(progress.version, weight(progress), bound_us / 1e6 if bound_us else None)


def is_tried(resource: Deployment, choice: Choice) -> bool:
    """Whether the choice takes over by way of a canary, rather than at once.

    There must be something to hold it against, under the same URLs, in servers that forward.
    """
    stable, rollout = resource.status.stable, resource.spec.rollout
    return (
        rollout.strategy == "canary"
        and resource.spec.server.image is None
        and stable is not None
        and stable.revoked_at is None
        and bool(choice.image)
        and choice.leaving is None
        and not choice.is_served(stable)
        and choice.model == stable.model
        and choice.digest not in (digest_of(stable.image), rollout.promote)
    )


def serving(resource: Deployment, choice: Choice) -> Choice:
    """The version that stable's servers are to be of: the choice, but while it is yet to be tried or promoted."""
    stable, progress = resource.status.stable, under_way(resource.status)
    if stable is None or not is_tried(resource, choice):
        return choice
    if progress is not None and promoting(progress) and progress.image == choice.image:
        return choice
    return Choice(stable.model, stable.version, stable.image, waiting=choice.waiting, held=choice.held)


def servers_wanted(progress: RolloutProgress, next_weight: int, servers: int) -> int:
    """How many servers the canary needs beside `servers` of stable: for the greatest weight that it had, or gets."""
    return share(servers, max([next_weight, *(span.weight for span in progress.spans)]))


def heard(live: Live | None, progress: RolloutProgress) -> bool:
    """Whether all of stable's servers apply the newest generation."""
    return (
        live is not None
        and 0 < live.asked == live.reached
        and live.generation is not None
        and live.generation >= progress.generation
    )


def unheard_for(progress: RolloutProgress | None, view: View, now: datetime) -> timedelta:
    """For how long the canary's servers are still left after its verdict: until nobody sends them requests any more.

    Servers that are going answer for a while, but their kubelet renews their files no more: they never hear of it.
    """
    if progress is None or not progress.verdict or progress.ended_at is None or not progress.spans:
        return timedelta()
    going = any("deletionTimestamp" in pod["metadata"] for pod in of_role(view.pods, STABLE))
    if heard(view.live, progress) and not going:
        return timedelta()
    return max(timedelta(), min(moment(progress.ended_at), now) + FORGETTING[progress.verdict] - now)


def runs(resource: Deployment, view: View, now: datetime) -> bool:
    """Whether the canary should have servers: while it is under way, and for a moment after. They are not made then."""
    if under_way(resource.status) is not None:
        return True
    live = view.deployment(CANARY.name(resource))
    there = live is not None and "deletionTimestamp" not in live["metadata"]
    return there and unheard_for(resource.status.rollout, view, now) > timedelta()


def left(view: View) -> tuple[KubeObject, ...]:
    """Everything that was made for a canary and is still there."""
    return tuple(c for c in view.children if c["metadata"].get("labels", {}).get(STEP_LABEL) == CANARY.step)


def touches(resource: Deployment, view: View) -> tuple[Touch, ...]:
    """The Pods of stable whose kubelet may still have an older generation.

    It renews a Pod's files about once a minute, but at once when an annotation of the Pod changes.
    """
    progress, told = resource.status.rollout, str(generation(resource.status))
    if progress is None or not progress.spans or (progress.verdict and not left(view)):
        return ()
    return tuple(
        Touch(Ref("Pod", metadata["namespace"], metadata["name"], metadata["uid"]), {ROUTING_ANNOTATION: told})
        for metadata in (pod["metadata"] for pod in of_role(view.pods, STABLE))
        if metadata.get("annotations", {}).get(ROUTING_ANNOTATION) != told and "deletionTimestamp" not in metadata
    )

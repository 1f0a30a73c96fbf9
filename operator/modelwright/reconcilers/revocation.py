"""What becomes of servers whose version a person has said no to: replaced within a promised time, or ended."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

from modelwright import durations
from modelwright.api.v1alpha1 import Deployment, DeploymentStatus
from modelwright.conditions import moment, timestamp
from modelwright.plan import Child, Event, JsonObject, Ref
from modelwright.reconcilers.choosing import Choice
from modelwright.view import View


@dataclass(frozen=True, slots=True)
class Revocation:
    """What a pass adds for its sake; `overdue` where old servers are not waited for any more."""

    deletions: tuple[Ref, ...] = ()
    events: tuple[Event, ...] = ()
    overdue: bool = False
    again: timedelta | None = None


def revocation(resource: Deployment, choice: Choice, view: View, now: datetime, *, replaced: bool) -> Revocation:
    """Ends all servers unless they are `replaced` by those of `choice`, which have `server.startupDeadline` for it."""
    stable, refusal = resource.status.stable, choice.revokes
    if refusal is None:
        return Revocation()
    if stable is None or not replaced:
        return Revocation(deletions=_servers(view))
    events: tuple[Event, ...] = ()
    if stable.revoked_at is None and choice.waiting is None:
        words = f"{refusal.message}; {choice.version} takes over from {stable.version}"
        events = (Event("Warning", refusal.reason, words),)
    since = now if stable.revoked_at is None else moment(stable.revoked_at)
    left = since + durations.parse(resource.spec.server.startup_deadline) - now
    if left > timedelta():
        return Revocation(events=events, again=left)
    return Revocation(events=events, overdue=True)


def noted(status: DeploymentStatus, choice: Choice, now: datetime) -> DeploymentStatus:
    """The status in which the served version is marked from when on it may be served no longer."""
    stable = status.stable
    if stable is None or stable.revoked_at is not None or choice.revokes is None:
        return status
    return status.model_copy(update={"stable": stable.model_copy(update={"revoked_at": timestamp(now)})})


def ended(status: DeploymentStatus, ready: int, now: datetime) -> DeploymentStatus:
    """The status once nothing may be served: `ready` servers are on their way out."""
    stable, since = status.stable, timestamp(now)
    if stable is None:
        return status
    history = tuple(record.model_copy(update={"until": record.until or since}) for record in status.history)
    counted = stable.model_copy(update={"replicas": 0, "ready_replicas": ready})
    return status.model_copy(update={"stable": counted, "history": history})


def hastened(child: Child) -> Child:
    """The apps/v1 Deployment that no longer keeps old Pods until the new ones are ready."""
    spec = cast(JsonObject, child.manifest["spec"])
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": "100%"}}
    return replace(child, manifest={**child.manifest, "spec": {**spec, "strategy": strategy}})


def _servers(view: View) -> tuple[Ref, ...]:
    found = (child for child in view.children if child["kind"] == "Deployment")
    return tuple(
        Ref("Deployment", metadata["namespace"], metadata["name"], metadata["uid"])
        for metadata in (child["metadata"] for child in found)
        if "deletionTimestamp" not in metadata
    )

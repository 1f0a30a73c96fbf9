"""The end of every pass: a status, its conditions and events, and what is to be done, as one plan."""

from datetime import timedelta

from modelwright.api.v1alpha1 import Resource
from modelwright.api.v1alpha1.shared import Status
from modelwright.conditions import Report
from modelwright.plan import Child, Event, Plan, Ref, Touch


def conclude(
    resource: Resource,
    report: Report,
    status: Status,
    *,
    children: tuple[Child, ...] = (),
    deletions: tuple[Ref, ...] = (),
    events: tuple[Event, ...] = (),
    requeue_after: timedelta | None = None,
    touches: tuple[Touch, ...] = (),
) -> Plan:
    """The plan whose status is `status`, of this generation, with what `report` says, and `events` beside."""
    told = status.model_copy(
        update={"conditions": report.conditions(), "observed_generation": resource.metadata.generation}
    )
    return Plan(
        status=told.model_dump(mode="json", by_alias=True, exclude_none=True),
        children=children,
        deletions=deletions,
        events=(*report.events(), *events),
        requeue_after=requeue_after,
        touches=touches,
    )

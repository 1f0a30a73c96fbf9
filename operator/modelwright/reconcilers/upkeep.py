"""What goes on beside serving: whether the model has drifted, and whether it is trained anew.

None of it decides on `Ready`: the operator began it by itself, and what serves goes on serving.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from modelwright.api.v1alpha1 import Deployment, DeploymentStatus
from modelwright.conditions import Report
from modelwright.plan import Child, Event
from modelwright.reasons import outlook
from modelwright.reconcilers.drift import drift
from modelwright.reconcilers.retraining import retraining
from modelwright.view import View

RETRAINING = "Retraining"


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The status that it leaves, and what a pass does for its sake."""

    status: DeploymentStatus
    children: tuple[Child, ...] = ()
    events: tuple[Event, ...] = ()
    again: timedelta | None = None


def upkeep(
    resource: Deployment, status: DeploymentStatus, report: Report, view: View, now: datetime, *, rolling: bool
) -> Upkeep:
    """Looks after what serves. `status` is what the pass is about to write; `rolling` whether servers change."""
    drifting = drift(resource, status, view.live, now)
    drifting.tell(report)
    status = status.model_copy(update={"drift": drifting.status})
    known = resource.model_copy(update={"status": status})
    trained = retraining(known, view, now, drifted=drifting.drifted, rolling=rolling)
    if trained is None:
        return Upkeep(status.model_copy(update={"retraining": None}), events=drifting.events)
    report.mark(RETRAINING, trained.holds, trained.reason, trained.message, tell=outlook(trained.reason) == "act")
    return Upkeep(
        status.model_copy(update={"retraining": trained.status}),
        trained.children,
        (*drifting.events, *trained.events),
        trained.again,
    )

"""What a Deployment's conditions say of one pass: whether the wish is fulfilled, who answers, and what goes on."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from modelwright.api.v1alpha1 import Deployment
from modelwright.children.service import url
from modelwright.conditions import READY, Report, moment
from modelwright.objects import AppsDeployment
from modelwright.observe import Blocked
from modelwright.reasons import outlook
from modelwright.reconcilers.canary import Trial
from modelwright.reconcilers.choosing import Choice
from modelwright.reconcilers.rollout import Rollout, answering
from modelwright.reconcilers.steps import PATIENCE, patience

AVAILABLE, PROGRESSING = "Available", "Progressing"


@dataclass(frozen=True, slots=True)
class Standing:
    """What one pass has found of `resource`, as status was before it.

    `choice` is what should be served in the end, `serving` what the servers are to be of now, `servers` how far they
    have come with it; `trial` is what is tried beside them.
    """

    resource: Deployment
    choice: Choice
    serving: Choice
    live: AppsDeployment | None
    servers: Rollout
    trial: Trial

    @property
    def is_served(self) -> bool:
        """Whether what the servers are to be of has been served before this pass."""
        return self.serving.is_served(self.resource.status.stable)

    @property
    def was_fulfilled(self) -> bool:
        """Whether this very spec was fulfilled before: the change is the operator's own, or the cluster's."""
        ready, generation = self.resource.status.condition(READY), self.resource.metadata.generation
        return ready is not None and ready.status == "True" and ready.observed_generation == generation


def tell(report: Report, stand: Standing, hindrance: Blocked | None, now: datetime) -> timedelta | None:
    """Ready: all servers are of the chosen version, and reached. Returns when to look again.

    `hindrance` keeps the servers from being ready or, where they are, the rest of the spec from being fulfilled.
    """
    choice, serving, servers = stand.choice, stand.serving, stand.servers
    if choice.waiting is not None:
        meanwhile = f"{serving.version} {'serves on' if stand.is_served else 'takes over'}"
        words = f"{meanwhile}, but {hindrance.message}" if hindrance is not None else meanwhile
        tell_waiting(report, choice, "; ".join(said for said in (words, stand.trial.told) if said))
        return None if servers.done else PATIENCE
    if servers.done and hindrance is None:
        return _tell_trial(report, stand, now)
    lasting, again = patience(hindrance, now) if hindrance is not None else (False, None)
    young = hindrance is None or now < moment(hindrance.since) + PATIENCE
    if hindrance is not None and lasting:
        report.stalled(hindrance.reason, hindrance.message)
    elif young and servers.ready and stand.was_fulfilled:
        why = hindrance.message if hindrance is not None else f"not all servers of {serving.version} are ready"
        report.ready("Serving", f"requests are answered at {url(stand.resource)}; {why}")
    elif hindrance is not None:
        report.reconciling(hindrance.reason, hindrance.message)
    elif servers.updated and stand.is_served:
        words = f"{servers.ready} of {servers.wanted} servers of {serving.version} are ready"
        report.reconciling("ServersNotReady", words)
    else:
        report.reconciling("RollingOut", f"{servers.of_newest} of {servers.wanted} Pods are of {serving.version}")
    return again or PATIENCE


def tell_waiting(report: Report, choice: Choice, meanwhile: str = "") -> None:
    """Ready: the wish waits, and what is so `meanwhile`."""
    waiting = choice.waiting
    assert waiting is not None
    tells = report.stalled if outlook(waiting.reason) == "act" else report.reconciling
    if waiting.reason == "Paused":
        tells = report.paused
    tells(waiting.reason, "; ".join(words for words in (waiting.message, meanwhile, waiting.remedy) if words))


def mark(report: Report, stand: Standing) -> None:
    """Available and Progressing."""
    mark_available(report, stand.live)
    choice, servers = stand.choice, stand.servers
    # Servers that come and go after a rollout are none.
    if not servers.done and not (servers.updated and stand.is_served):
        mark_rolling(report, stand.live)
    elif stand.trial.told:
        report.mark(PROGRESSING, True, "CanaryRunning", stand.trial.told)
    elif choice.held:
        report.mark(PROGRESSING, False, "Paused", f"{choice.held} waits, because spec.paused is true")
    else:
        report.mark(PROGRESSING, False, "RolledOut", "no change is under way")


def mark_available(report: Report, live: AppsDeployment | None) -> None:
    """Available: whether anything answers."""
    if answering(live):
        report.mark(AVAILABLE, True, "MinimumReplicasAvailable", "requests are answered")
    else:
        report.mark(AVAILABLE, False, "MinimumReplicasUnavailable", "no server is ready")


def mark_rolling(report: Report, live: AppsDeployment | None) -> None:
    """Progressing, of servers that are not as they should be."""
    if live is None:
        report.mark(PROGRESSING, False, "NotStarted", "there is nothing to roll out yet")
    else:
        report.mark(PROGRESSING, True, "RollingOut", "new Pods start; the old ones serve until they are ready")


def _tell_trial(report: Report, stand: Standing, now: datetime) -> timedelta | None:
    """All servers are as they should be now; what is tried beside them may keep the wish from being fulfilled."""
    trial, where = stand.trial, url(stand.resource)
    said = f"{stand.servers.running} of {stand.serving.version} at {where}"
    lasting, again = patience(trial.blocked, now) if trial.blocked is not None else (False, None)
    if trial.blocked is not None and lasting:
        report.stalled(trial.blocked.reason, f"{trial.blocked.message}; {stand.serving.version} serves on")
    elif trial.told and not stand.was_fulfilled:
        report.reconciling("CanaryRunning", trial.told)
    else:
        report.ready("Serving", "; ".join(words for words in (said, trial.told or _aside(stand)) if words))
    return again


def _aside(stand: Standing) -> str:
    """What else should be known of a Deployment that is Ready."""
    if stand.choice.held:
        return f"{stand.choice.held} waits, because spec.paused is true"
    if stand.resource.spec.rollout.strategy == "canary" and stand.resource.spec.server.image is not None:
        return "a canary needs Modelwright's own server: a new version takes over without one"
    return ""

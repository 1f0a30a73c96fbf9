"""A Deployment: the chosen version of a model, served; the last good one serves on while a new one is tried."""

from datetime import datetime

from modelwright.api.v1alpha1 import Deployment, DeploymentStatus
from modelwright.api.v1alpha1.deployment import LATEST, ServedRecord, StableVersion
from modelwright.children.deployment import server_resources
from modelwright.children.role import STABLE
from modelwright.children.service import url
from modelwright.conditions import Report, timestamp
from modelwright.config import Config
from modelwright.observe import Blocked
from modelwright.plan import Plan
from modelwright.reconcilers import batch, retraining
from modelwright.reconcilers.allowlist import not_allowed
from modelwright.reconcilers.autoscaling import Autoscaled, autoscaled
from modelwright.reconcilers.canary import Trial, called_off, trial
from modelwright.reconcilers.canary_routing import serving, touches
from modelwright.reconcilers.canary_servers import hindrance, of_role
from modelwright.reconcilers.ceilings import above
from modelwright.reconcilers.champions import model_digest
from modelwright.reconcilers.choosing import Choice, choose
from modelwright.reconcilers.conclude import conclude
from modelwright.reconcilers.drift import drift
from modelwright.reconcilers.live_status import live_figures
from modelwright.reconcilers.revocation import ended, hastened, noted, revocation
from modelwright.reconcilers.rollout import Rollout, answering, rollout
from modelwright.reconcilers.routing import Routed, routed
from modelwright.reconcilers.serving import canary_left, routing, superfluous, wanted
from modelwright.reconcilers.steps import patience
from modelwright.reconcilers.telling import Standing, mark, mark_available, mark_rolling, tell, tell_waiting
from modelwright.reconcilers.upkeep import upkeep
from modelwright.view import Topic, View

HISTORY = 20
ROUTED, AUTOSCALED = "Routed", "Autoscaled"


def references(resource: Deployment) -> frozenset[Topic]:
    """A Deployment stands on all versions of its model, on the one that it names, and on what it serves by now."""
    namespace, model, stable = resource.metadata.namespace, resource.spec.model, resource.status.stable
    models = {model.name, stable.model} if stable is not None else {model.name}
    named = {("ModelVersion", namespace, model.version)} if model.version != LATEST else set()
    served = frozenset({("Model", namespace, name) for name in models} | named)
    return served | retraining.references(resource) | batch.references(resource)


def reconcile(resource: Deployment, view: View, now: datetime) -> Plan:
    """Chooses a version, keeps its servers and the ways to them, tries new ones, and tells truthfully who answers."""
    report = Report(resource.status.conditions, resource.metadata.generation, now)
    choice = choose(resource, view)
    if refused := _refused(resource, view.config):
        reason, words = refused
        report.stalled(reason, f"{words}; nothing is served: {said.message}" if (said := choice.revokes) else words)
        return _left_alone(resource, report, choice, view, now, refused)
    if not choice.image:
        tell_waiting(report, choice)
        return _left_alone(resource, report, choice, view, now)
    stand = _stand(resource, choice, view, now)
    servers = stand.servers
    lacking = _trouble(stand, view)
    lasting, later = patience(lacking, now) if lacking is not None and servers.done else (False, None)
    route, scaled = routed(resource, view), autoscaled(resource, view, servers, lacking if lasting else None)
    status = _served(stand, view, now)
    again = tell(report, stand, _beyond(route, scaled) if servers.done else lacking, now)
    mark(report, stand)
    if route is not None:
        report.mark(ROUTED, route.holds, route.reason, route.message)
    if scaled is not None:
        report.mark(AUTOSCALED, scaled.holds, scaled.reason, scaled.message)
    ending = revocation(resource, stand.serving, view, now, replaced=True)
    children = wanted(resource, stand.serving, view, now)
    if ending.overdue:
        name = STABLE.name(resource)
        children = tuple(
            hastened(child) if (child.manifest["kind"], child.name) == ("Deployment", name) else child
            for child in children
        )
    moving = route is not None and route.blocked is not None
    kept = upkeep(resource, status, report, view, now, rolling=not servers.done or stand.trial.under_way)
    scored = batch.batch(resource, kept.status, view, now)
    scored.tell(report)
    times = (again or later, ending.again, stand.trial.again, kept.again, scored.again)
    told = {event.reason for event in report.events()}
    return conclude(
        resource,
        report,
        kept.status.model_copy(update={"batch": scored.status}),
        children=(*children, *kept.children, *scored.children),
        deletions=(*ending.deletions, *superfluous(resource, view, children, now, moving=moving), *scored.deletions),
        events=(*ending.events, *(event for event in stand.trial.events if event.reason not in told), *kept.events),
        requeue_after=min((time for time in times if time is not None), default=None),
        touches=touches(resource, view),
    )


def _refused(resource: Deployment, config: Config) -> tuple[str, str] | None:
    """The reason and the sentence of what the platform does not let the spec ask for."""
    asked = server_resources(resource, config.defaults.serve)
    if words := above(asked, config.ceilings, "spec.server.resources"):
        return "ResourcesAboveCeiling", words
    if words := not_allowed(resource, config.policy.of(resource.metadata.namespace)):
        return "NotAllowedByPolicy", words
    return None


def _left_alone(
    resource: Deployment,
    report: Report,
    choice: Choice,
    view: View,
    now: datetime,
    refused: tuple[str, str] | None = None,
) -> Plan:
    """Nothing new is applied; servers stay as they are, unless a person has said no to them.

    A canary is not judged by a spec that can't be followed: it ends.
    """
    live = view.deployment(resource.metadata.name)
    mark_available(report, live)
    mark_rolling(report, live)
    over = called_off(resource, view, "spec can't be followed; Ready says why", now)
    status, ending = _with_trial(resource, over).status, revocation(resource, choice, view, now, replaced=False)
    if choice.revokes is not None:
        status = ended(noted(status, choice, now), answering(live), now)
    drifting = drift(resource, status, view.live, now)
    drifting.tell(report)
    scored = batch.batch(resource, status, view, now, refused)
    scored.tell(report)
    told = resource.status.rollout is not None and resource.spec.server.image is None
    return conclude(
        resource,
        report,
        status.model_copy(update={"drift": drifting.status, "batch": scored.status}),
        children=(*((routing(resource, view),) if told else ()), *scored.children),
        deletions=(*ending.deletions, *canary_left(resource, view, now), *scored.deletions),
        events=drifting.events,
        requeue_after=min((time for time in (over.again, scored.again) if time is not None), default=None),
        touches=touches(resource, view),
    )


def _stand(resource: Deployment, choice: Choice, view: View, now: datetime) -> Standing:
    """What is to be served, what is there, and what is tried."""
    live = view.deployment(STABLE.name(resource))
    serves = serving(resource, choice)
    servers = _servers(resource, serves, view)
    tried = trial(resource, view, choice, servers, now)
    if tried.quarantined != resource.status.quarantined:
        # What was just taken back is a choice no more.
        known = _with_trial(resource, tried)
        choice = choose(known, view)
        serves = serving(known, choice)
        servers = _servers(resource, serves, view)
    return Standing(resource, choice, serves, live, servers, tried)


def _servers(resource: Deployment, serves: Choice, view: View) -> Rollout:
    live, scaling = view.deployment(STABLE.name(resource)), resource.spec.scaling
    # In the first pass over a new spec `live` is still of the one before.
    seen = resource.status.observed_generation == resource.metadata.generation
    return rollout(live, serves.image, least=scaling.min_replicas, most=scaling.most, seen=seen)


def _with_trial(resource: Deployment, tried: Trial) -> Deployment:
    told = {"rollout": tried.progress, "canary": tried.canary, "quarantined": tried.quarantined}
    return resource.model_copy(update={"status": resource.status.model_copy(update=told)})


def _served(stand: Standing, view: View, now: datetime) -> DeploymentStatus:
    """Who serves, since when, and where; and who is tried."""
    serves, servers = stand.serving, stand.servers
    status = noted(_with_trial(stand.resource, stand.trial).status, serves, now)
    stable, history = status.stable, status.history
    if servers.done and not serves.is_served(stable):
        since = timestamp(now)
        earlier = tuple(record.model_copy(update={"until": record.until or since}) for record in history)
        record = ServedRecord(version=serves.version, image=serves.image, since=since, reason=serves.cause(stable))
        history = (record, *earlier)[:HISTORY]
        stable = StableVersion(model=serves.model, version=serves.version, image=serves.image)
    ready = answering(stand.live)
    if stable is not None:
        counts = {"replicas": servers.wanted, "ready_replicas": ready}
        known = stable.model_digest or model_digest(stand.resource, stable, view)
        stable = stable.model_copy(update={**counts, "model_digest": known})
    where = url(stand.resource) if ready or status.url else ""
    live = live_figures(status.live, view.live, now)
    return status.model_copy(update={"stable": stable, "history": history, "url": where, "live": live})


def _trouble(stand: Standing, view: View) -> Blocked | None:
    """What keeps servers that should run from being ready, if anything but time does."""
    servers = stand.servers
    if stand.live is None or (servers.done and servers.ready >= servers.wanted):
        return None
    return hindrance(view, stand.live, of_role(view.pods, STABLE))


def _beyond(route: Routed | None, scaled: Autoscaled | None) -> Blocked | None:
    """What keeps the spec from being fulfilled though the servers run."""
    blocked = route.blocked if route is not None else None
    return blocked or (scaled.blocked if scaled is not None else None)

"""A Deployment: the chosen version of a model, served; the last good one serves on while a new one starts."""

from datetime import datetime, timedelta

from modelwright import trouble
from modelwright.api.v1alpha1 import Deployment, DeploymentStatus
from modelwright.api.v1alpha1.deployment import LATEST, ServedRecord, StableVersion
from modelwright.children.deployment import server_resources
from modelwright.children.service import url
from modelwright.conditions import READY, Report, moment, timestamp
from modelwright.config import Config
from modelwright.objects import AppsDeployment
from modelwright.observe import Blocked
from modelwright.plan import Plan
from modelwright.reasons import outlook
from modelwright.reconcilers.allowlist import not_allowed
from modelwright.reconcilers.autoscaling import Autoscaled, autoscaled
from modelwright.reconcilers.ceilings import above
from modelwright.reconcilers.choosing import Choice, choose
from modelwright.reconcilers.conclude import conclude
from modelwright.reconcilers.revocation import ended, hastened, noted, revocation
from modelwright.reconcilers.rollout import Rollout, answering, rollout
from modelwright.reconcilers.routing import Routed, routed
from modelwright.reconcilers.serving import superfluous, wanted
from modelwright.reconcilers.steps import PATIENCE, patience
from modelwright.view import Topic, View

HISTORY = 20
AVAILABLE, PROGRESSING, ROUTED, AUTOSCALED = "Available", "Progressing", "Routed", "Autoscaled"


def references(resource: Deployment) -> frozenset[Topic]:
    """A Deployment stands on all versions of its model, on the one that it names, and on what it serves by now."""
    namespace, model, stable = resource.metadata.namespace, resource.spec.model, resource.status.stable
    models = {model.name, stable.model} if stable is not None else {model.name}
    named = {("ModelVersion", namespace, model.version)} if model.version != LATEST else set()
    return frozenset({("Model", namespace, name) for name in models} | named)


def reconcile(resource: Deployment, view: View, now: datetime) -> Plan:
    """Chooses a version, keeps its servers and the ways to them, and tells truthfully who answers."""
    report = Report(resource.status.conditions, resource.metadata.generation, now)
    status, live, choice = resource.status, view.deployment(resource.metadata.name), choose(resource, view)
    if refused := _refused(resource, view.config):
        reason, words = refused
        report.stalled(reason, f"{words}; nothing is served: {said.message}" if (said := choice.revokes) else words)
        return _left_alone(resource, report, choice, view, now)
    if not choice.image:
        _tell_waiting(report, choice)
        return _left_alone(resource, report, choice, view, now)
    # In the first pass over a new spec `live` is still of the one before.
    seen = status.observed_generation == resource.metadata.generation
    progress = rollout(live, choice, resource.spec.scaling, seen=seen)
    lacking = _trouble(view, live, progress)
    lasting, later = patience(lacking, now) if lacking is not None and progress.done else (False, None)
    route, scaled = routed(resource, view), autoscaled(resource, view, progress, lacking if lasting else None)
    status = _served(resource, choice, progress, live, now)
    again = _tell(report, resource, choice, progress, _beyond(route, scaled) if progress.done else lacking, now)
    # Servers that come and go after a rollout are none.
    _mark(report, live, settled=progress.done or (progress.updated and choice.is_served(status.stable)))
    if route is not None:
        report.mark(ROUTED, route.holds, route.reason, route.message)
    if scaled is not None:
        report.mark(AUTOSCALED, scaled.holds, scaled.reason, scaled.message)
    ending = revocation(resource, choice, view, now, replaced=True)
    children = wanted(resource, choice, view)
    if ending.overdue:
        children = tuple(hastened(child) if child.manifest["kind"] == "Deployment" else child for child in children)
    moving = route is not None and route.blocked is not None
    return conclude(
        resource,
        report,
        status,
        children=children,
        deletions=(*ending.deletions, *superfluous(view, children, moving=moving)),
        events=ending.events,
        requeue_after=min((time for time in (again or later, ending.again) if time is not None), default=None),
    )


def _refused(resource: Deployment, config: Config) -> tuple[str, str] | None:
    """The reason and the sentence of what the platform does not let the spec ask for."""
    asked = server_resources(resource, config.defaults.serve)
    if words := above(asked, config.ceilings, "spec.server.resources"):
        return "ResourcesAboveCeiling", words
    if words := not_allowed(resource, config.policy.of(resource.metadata.namespace)):
        return "NotAllowedByPolicy", words
    return None


def _left_alone(resource: Deployment, report: Report, choice: Choice, view: View, now: datetime) -> Plan:
    """Nothing is applied; servers stay as they are, unless a person has said no to them."""
    live = view.deployment(resource.metadata.name)
    _mark(report, live, settled=False)
    if choice.revokes is None:
        return conclude(resource, report, resource.status)
    ending = revocation(resource, choice, view, now, replaced=False)
    status = ended(noted(resource.status, choice, now), answering(live), now)
    return conclude(resource, report, status, deletions=ending.deletions)


def _served(
    resource: Deployment, choice: Choice, progress: Rollout, live: AppsDeployment | None, now: datetime
) -> DeploymentStatus:
    """Who serves, since when, and where."""
    status = noted(resource.status, choice, now)
    stable, history = status.stable, status.history
    if progress.done and not choice.is_served(stable):
        since = timestamp(now)
        earlier = tuple(record.model_copy(update={"until": record.until or since}) for record in history)
        record = ServedRecord(version=choice.version, image=choice.image, since=since, reason=choice.cause(stable))
        history = (record, *earlier)[:HISTORY]
        stable = StableVersion(model=choice.model, version=choice.version, image=choice.image)
    ready = answering(live)
    if stable is not None:
        counts = {"replicas": progress.wanted, "ready_replicas": ready}
        stable = stable.model_copy(update=counts)
    where = url(resource) if ready or status.url else ""
    return status.model_copy(update={"stable": stable, "history": history, "url": where})


def _trouble(view: View, live: AppsDeployment | None, progress: Rollout) -> Blocked | None:
    """What keeps servers that should run from being ready, if anything but time does."""
    if live is None or (progress.done and progress.ready >= progress.wanted):
        return None
    return trouble.of_servers(view.pods, view.refusals) or trouble.of_deployment(live)


def _beyond(route: Routed | None, scaled: Autoscaled | None) -> Blocked | None:
    """What keeps the spec from being fulfilled though the servers run."""
    blocked = route.blocked if route is not None else None
    return blocked or (scaled.blocked if scaled is not None else None)


def _tell(
    report: Report,
    resource: Deployment,
    choice: Choice,
    progress: Rollout,
    hindrance: Blocked | None,
    now: datetime,
) -> timedelta | None:
    """Ready: all servers are of the chosen version, and reached. Returns when to look again."""
    where = url(resource)
    if choice.waiting is not None:
        serves = f"{choice.version} {'serves on' if choice.is_served(resource.status.stable) else 'takes over'}"
        _tell_waiting(report, choice, f"{serves}, but {hindrance.message}" if hindrance is not None else serves)
        return None if progress.done else PATIENCE
    if progress.done and hindrance is None:
        report.ready("Serving", f"{progress.running} of {choice.version} at {where}")
        return None
    lasting, again = patience(hindrance, now) if hindrance is not None else (False, None)
    young = hindrance is None or now < moment(hindrance.since) + PATIENCE
    if hindrance is not None and lasting:
        report.stalled(hindrance.reason, hindrance.message)
    elif young and progress.ready and _was_fulfilled(resource):
        why = hindrance.message if hindrance is not None else f"not all servers of {choice.version} are ready"
        report.ready("Serving", f"requests are answered at {where}; {why}")
    elif hindrance is not None:
        report.reconciling(hindrance.reason, hindrance.message)
    elif progress.updated and choice.is_served(resource.status.stable):
        words = f"{progress.ready} of {progress.wanted} servers of {choice.version} are ready"
        report.reconciling("ServersNotReady", words)
    else:
        report.reconciling("RollingOut", f"{progress.of_newest} of {progress.wanted} Pods are of {choice.version}")
    return again or PATIENCE


def _tell_waiting(report: Report, choice: Choice, meanwhile: str = "") -> None:
    """Ready: the wish waits, and what serves `meanwhile`."""
    waiting = choice.waiting
    assert waiting is not None
    tell = report.stalled if outlook(waiting.reason) == "act" else report.reconciling
    tell(waiting.reason, "; ".join(words for words in (waiting.message, meanwhile, waiting.remedy) if words))


def _was_fulfilled(resource: Deployment) -> bool:
    """Whether this very spec was fulfilled before: the change is the operator's own, or the cluster's."""
    ready, generation = resource.status.condition(READY), resource.metadata.generation
    return ready is not None and ready.status == "True" and ready.observed_generation == generation


def _mark(report: Report, live: AppsDeployment | None, *, settled: bool) -> None:
    if answering(live):
        report.mark(AVAILABLE, True, "MinimumReplicasAvailable", "requests are answered")
    else:
        report.mark(AVAILABLE, False, "MinimumReplicasUnavailable", "no server is ready")
    if settled:
        report.mark(PROGRESSING, False, "RolledOut", "no change is under way")
    elif live is None:
        report.mark(PROGRESSING, False, "NotStarted", "there is nothing to roll out yet")
    else:
        report.mark(PROGRESSING, True, "RollingOut", "new Pods start; the old ones serve until they are ready")

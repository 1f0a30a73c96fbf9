"""A Deployment: the chosen version of a model, served; the last good one serves on while a new one starts."""

from dataclasses import dataclass
from datetime import datetime

from modelwright import observe
from modelwright.api.v1alpha1 import Deployment, DeploymentStatus, ModelVersion
from modelwright.api.v1alpha1.deployment import ServedRecord, StableVersion
from modelwright.children.deployment import server_resources, serving_deployment
from modelwright.children.service import serving_service, url
from modelwright.conditions import READY, Report, timestamp
from modelwright.objects import AppsDeployment
from modelwright.plan import Plan
from modelwright.reconcilers.ceilings import above
from modelwright.reconcilers.conclude import conclude
from modelwright.reconcilers.steps import PATIENCE, patience
from modelwright.view import Topic, View

LATEST = "latest"
HISTORY = 20
AVAILABLE, PROGRESSING = "Available", "Progressing"


@dataclass(frozen=True, slots=True)
class Choice:
    """The version that should be served; `waiting` says why there is none, or why a newer wish is not fulfilled."""

    model: str
    version: str
    image: str
    waiting: str = ""


def references(resource: Deployment) -> frozenset[Topic]:
    """A Deployment stands on all versions of its model, or on the one that it names."""
    namespace, model = resource.metadata.namespace, resource.spec.model
    if model.version == LATEST:
        return frozenset({("Model", namespace, model.name)})
    return frozenset({("ModelVersion", namespace, model.version)})


def reconcile(resource: Deployment, view: View, now: datetime) -> Plan:
    """Chooses a version, keeps its servers and their address, and tells truthfully who answers."""
    report = Report(resource.status.conditions, resource.metadata.generation, now)
    config, status = view.config, resource.status
    if refusal := above(server_resources(resource, config.defaults.serve), config.ceilings, "spec.server.resources"):
        report.stalled("ResourcesAboveCeiling", refusal)
        _mark(report, view.deployment(resource.metadata.name), updated=False)
        return conclude(resource, report, status)
    choice = choose(resource, view)
    if not choice.image:
        report.reconciling(
            "NoVersion" if resource.spec.model.version == LATEST else "DependencyNotReady", choice.waiting
        )
        _mark(report, view.deployment(resource.metadata.name), updated=False)
        return conclude(resource, report, status)
    child = serving_deployment(resource, choice.model, choice.version, choice.image, config)
    live = view.deployment(resource.metadata.name)
    # In the first pass over a new spec `live` is still of the one before.
    seen = status.observed_generation == resource.metadata.generation
    updated = seen and live is not None and _is_applied(live, choice.image) and _is_updated(live)
    rolled_out = updated and live is not None and _is_available(live)
    status = _with_live(resource, status, choice, live, rolled_out, now)
    _tell(report, resource, choice, live, rolled_out, view, now)
    # Servers that come and go after that are no rollout.
    _mark(report, live, updated=rolled_out or (updated and _is_stable(status, choice)))
    again = None if rolled_out else PATIENCE
    return conclude(resource, report, status, children=(child, serving_service(resource)), requeue_after=again)


def choose(resource: Deployment, view: View) -> Choice:
    """The newest Ready and gated version, or the named one; without one, what is served already."""
    namespace, model = resource.metadata.namespace, resource.spec.model
    serving = resource.status.stable
    if model.version == LATEST:
        fit = [v for v in view.model_versions(namespace, model.name) if v.status.image and _gated(v)]
        if fit:
            return Choice(model.name, fit[-1].metadata.name, fit[-1].status.image)
        if serving is not None and serving.model == model.name:
            return Choice(model.name, serving.version, serving.image)
        return _served_or_none(serving, _no_version(resource, view))
    named = view.model_version(namespace, model.version)
    if named is not None and named.spec.model == model.name and named.status.image:
        return Choice(model.name, named.metadata.name, named.status.image)
    if serving is not None and (serving.model, serving.version) == (model.name, model.version):
        return Choice(model.name, serving.version, serving.image)
    return _served_or_none(serving, _no_named(named, resource))


def _served_or_none(serving: StableVersion | None, waiting: str) -> Choice:
    """What is served goes on being served while the wish cannot be fulfilled."""
    if serving is None:
        return Choice("", "", "", waiting)
    return Choice(serving.model, serving.version, serving.image, waiting)


def _gated(version: ModelVersion) -> bool:
    gated = version.status.condition("Gated")
    return gated is not None and gated.status == "True" and version.metadata.deletion_timestamp is None


def _no_version(resource: Deployment, view: View) -> str:
    model = resource.spec.model.name
    made = view.model_versions(resource.metadata.namespace, model)
    if not made:
        return f"no ModelVersion of model {model} exists yet; a TrainingRun with spec.output.model {model} makes one"
    newest = made[-1]
    ready = newest.status.condition(READY)
    if newest.status.image and not _gated(newest):
        return f"ModelVersion {newest.metadata.name} is packaged, but its gates are not known to hold"
    return f"ModelVersion {newest.metadata.name} is not Ready: {ready.reason if ready else 'it has just been made'}"


def _no_named(named: ModelVersion | None, resource: Deployment) -> str:
    model = resource.spec.model
    if named is None:
        return f"ModelVersion {model.version} does not exist; apply it, or correct spec.model.version"
    if named.spec.model != model.name:
        return f"ModelVersion {model.version} is of model {named.spec.model}, not {model.name}; correct spec.model"
    ready = named.status.condition(READY)
    return f"ModelVersion {model.version} is not Ready: {ready.reason if ready else 'it has just been made'}"


def _is_applied(live: AppsDeployment, image: str) -> bool:
    """Whether the template that Kubernetes holds is of this image already."""
    containers = live.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
    return any(container.get("image") == image for container in containers)


def _is_updated(live: AppsDeployment) -> bool:
    """Whether all Pods are of the newest template, and no other is left: half of what `kubectl rollout status` asks."""
    status, wanted = live.get("status", {}), live.get("spec", {}).get("replicas", 1)
    return (
        status.get("observedGeneration", -1) >= live["metadata"].get("generation", 0)
        and status.get("updatedReplicas", 0) >= wanted
        and status.get("replicas", 0) <= status.get("updatedReplicas", 0)
    )


def _is_available(live: AppsDeployment) -> bool:
    """The other half: whether as many as wanted answer."""
    return live.get("status", {}).get("availableReplicas", 0) >= live.get("spec", {}).get("replicas", 1)


def _is_stable(status: DeploymentStatus, choice: Choice) -> bool:
    """Whether the chosen version has been rolled out already."""
    stable = status.stable
    return stable is not None and (stable.model, stable.version, stable.image) == (
        choice.model,
        choice.version,
        choice.image,
    )


def _with_live(
    resource: Deployment,
    status: DeploymentStatus,
    choice: Choice,
    live: AppsDeployment | None,
    rolled_out: bool,
    now: datetime,
) -> DeploymentStatus:
    stable, history = status.stable, status.history
    if rolled_out and not _is_stable(status, choice):
        since = timestamp(now)
        earlier = tuple(record.model_copy(update={"until": record.until or since}) for record in history)
        record = ServedRecord(version=choice.version, image=choice.image, since=since, reason="NewVersion")
        history = (record, *earlier)[:HISTORY]
        stable = StableVersion(model=choice.model, version=choice.version, image=choice.image)
    if stable is not None:
        counts = live.get("status", {}) if live is not None else {}
        stable = stable.model_copy(
            update={
                "replicas": resource.spec.scaling.min_replicas,
                "ready_replicas": counts.get("readyReplicas", 0),
            }
        )
    return status.model_copy(update={"stable": stable, "history": history, "url": url(resource)})


def _tell(
    report: Report,
    resource: Deployment,
    choice: Choice,
    live: AppsDeployment | None,
    rolled_out: bool,
    view: View,
    now: datetime,
) -> None:
    """Ready: all replicas serve the chosen version. Otherwise the first trouble of a Pod, or plain progress."""
    if choice.waiting:
        report.reconciling("DependencyNotReady", f"{choice.waiting}; {choice.version} serves on")
    elif rolled_out:
        report.ready("Serving", f"{resource.spec.scaling.min_replicas} of {choice.version} at {url(resource)}")
    elif trouble := observe.serving_trouble(view.pods):
        stalled, _ = patience(trouble, now)
        (report.stalled if stalled else report.reconciling)(trouble.reason, trouble.message)
    elif live is not None and (refusal := observe.replica_failure(live)):
        report.stalled("PodNotCreated", refusal)
    elif _is_kept(resource, live):
        report.ready(
            "Serving", f"requests are answered at {url(resource)}; not all servers of {choice.version} are ready"
        )
    else:
        ready = live.get("status", {}).get("updatedReplicas", 0) if live is not None else 0
        wanted = resource.spec.scaling.min_replicas
        report.reconciling("RollingOut", f"{ready} of {wanted} Pods are of {choice.version}")


def _is_kept(resource: Deployment, live: AppsDeployment | None) -> bool:
    """Whether this very spec was fulfilled before and somebody answers still: the change is the operator's own."""
    ready, generation = resource.status.condition(READY), resource.metadata.generation
    fulfilled = ready is not None and ready.status == "True" and ready.observed_generation == generation
    return fulfilled and live is not None and live.get("status", {}).get("readyReplicas", 0) > 0


def _mark(report: Report, live: AppsDeployment | None, *, updated: bool) -> None:
    answering = live.get("status", {}).get("readyReplicas", 0) if live is not None else 0
    if answering:
        report.mark(AVAILABLE, True, "MinimumReplicasAvailable", "requests are answered")
    else:
        report.mark(AVAILABLE, False, "MinimumReplicasUnavailable", "no server is ready")
    if updated:
        report.mark(PROGRESSING, False, "RolledOut", "no change is under way")
    elif live is None:
        report.mark(PROGRESSING, False, "NotStarted", "there is nothing to roll out yet")
    else:
        report.mark(PROGRESSING, True, "RollingOut", "new Pods start; the old ones serve until they are ready")

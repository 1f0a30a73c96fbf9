"""Which version of a model a Deployment should serve, and why a wish has to wait."""

from dataclasses import dataclass, replace

from modelwright.api.v1alpha1 import Deployment, ModelVersion
from modelwright.api.v1alpha1.deployment import LATEST, StableVersion
from modelwright.conditions import READY
from modelwright.config import Policy
from modelwright.names import IMAGE_ANNOTATION
from modelwright.objects import AppsDeployment
from modelwright.reconcilers.approval import Refusal, may_serve
from modelwright.view import View


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why the wish is not fulfilled: a reason of Ready, what is so, and what a person could write."""

    reason: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The version that should be served; without an image, none.

    `waiting` says why there is none, or why a newer wish is not fulfilled; `leaving` why what is served must give way.
    """

    model: str = ""
    version: str = ""
    image: str = ""
    waiting: Waiting | None = None
    leaving: Refusal | None = None

    @property
    def revokes(self) -> Refusal | None:
        """Why what is served must stop, whatever comes after it, if it must."""
        return self.leaving if self.leaving is not None and self.leaving.revoked else None

    def is_served(self, stable: StableVersion | None) -> bool:
        """Whether this is the version that status says is served."""
        return stable is not None and stable.revoked_at is None and _is(stable, self)

    def cause(self, stable: StableVersion | None) -> str:
        """Why it takes over from `stable`, in the history's word."""
        if self.leaving is not None:
            return self.leaving.reason
        return "ApprovedAgain" if stable is not None and _is(stable, self) else "NewVersion"


def choose(resource: Deployment, view: View) -> Choice:
    """The newest Ready, gated and approved version, or the named one if it is approved; else what is served already.

    What is served and may be no longer gives way to the last approved version that was served before it. Where there
    is none and a person has said no, nothing is served.
    """
    policy, stable = view.config.policy.of(resource.metadata.namespace), resource.status.stable
    leaving = _leaving(resource, view, policy)
    wish = _wish(resource, view, policy, stable if leaving is None else None)
    if leaving is not None and (back := _served_before(resource, view, policy)) is not None:
        return replace(back, waiting=wish if isinstance(wish, Waiting) else None, leaving=leaving)
    if isinstance(wish, Choice):
        return replace(wish, leaving=leaving)
    if leaving is not None and leaving.revoked:
        said = "nothing is served, because what was served may be no longer, and no approved version was served before"
        return Choice(waiting=replace(wish, reason=leaving.reason, message=f"{said}; {wish.message}"), leaving=leaving)
    return Choice(waiting=wish) if stable is None else replace(_again(stable), waiting=wish)


def template_image(live: AppsDeployment) -> str:
    """The model's image that the template which Kubernetes holds is of; empty where it does not say so."""
    annotations = live.get("spec", {}).get("template", {}).get("metadata", {}).get("annotations", {})
    return annotations.get(IMAGE_ANNOTATION, "")


def _leaving(resource: Deployment, view: View, policy: Policy) -> Refusal | None:
    """Why what is served, or what starts for the first time, may not be."""
    stable = resource.status.stable
    if stable is None:
        return _not_beginning(resource, view, policy)
    versions = view.model_versions(resource.metadata.namespace, stable.model)
    known = next((v for v in versions if _is(stable, _of(v))), None)
    refusal = may_serve(known, policy) if known is not None else None
    if stable.revoked_at is None or (known is not None and refusal is None):
        return refusal
    # Deleting a revoked version, or making it anew, lifts nothing.
    return Refusal("ApprovalRevoked", f"ModelVersion {stable.version} was revoked", revoked=True)


def _not_beginning(resource: Deployment, view: View, policy: Policy) -> Refusal | None:
    """Before the first version is served nobody stands on what starts: any refusal ends it."""
    live = view.deployment(resource.metadata.name)
    if live is None:
        return None
    versions = view.model_versions(resource.metadata.namespace, resource.spec.model.name)
    known = next((v for v in versions if v.status.image == template_image(live)), None)
    refusal = may_serve(known, policy) if known is not None else None
    if known is None and policy.approval == "required":
        refusal = Refusal("AwaitingApproval", "the version that was starting does not exist any more")
    return None if refusal is None else replace(refusal, revoked=True)


def _wish(resource: Deployment, view: View, policy: Policy, serving: StableVersion | None) -> Choice | Waiting:
    """What the spec asks for. What is `serving`, and may be, answers it too when its object has gone."""
    namespace, model = resource.metadata.namespace, resource.spec.model
    if model.version == LATEST:
        fit = [version for version in view.model_versions(namespace, model.name) if _is_fit(version)]
        allowed = [version for version in fit if may_serve(version, policy) is None]
        if allowed:
            return _of(allowed[-1])
        if serving is not None and serving.model == model.name:
            return _again(serving)
        refusal = may_serve(fit[-1], policy) if fit else None
        return _waiting(refusal) if refusal is not None else _no_version(resource, view)
    named = view.model_version(namespace, model.version)
    if named is not None and named.spec.model == model.name and named.status.image:
        refusal = may_serve(named, policy)
        return _waiting(refusal) if refusal is not None else _of(named)
    if serving is not None and (serving.model, serving.version) == (model.name, model.version):
        return _again(serving)
    return Waiting("DependencyNotReady", _no_named(named, resource))


def _served_before(resource: Deployment, view: View, policy: Policy) -> Choice | None:
    """The last version in the history that is there still, with that image, and approved."""
    stable = resource.status.stable
    if stable is None:
        return None
    there = {
        (version.metadata.name, version.status.image): version
        for version in view.model_versions(resource.metadata.namespace, stable.model)
        if version.metadata.deletion_timestamp is None
    }
    known = (there.get((record.version, record.image)) for record in resource.status.history)
    return next((_of(version) for version in known if version is not None and may_serve(version, policy) is None), None)


def _of(version: ModelVersion) -> Choice:
    return Choice(version.spec.model, version.metadata.name, version.status.image)


def _again(stable: StableVersion) -> Choice:
    return Choice(stable.model, stable.version, stable.image)


def _is(stable: StableVersion, choice: Choice) -> bool:
    return (stable.model, stable.version, stable.image) == (choice.model, choice.version, choice.image)


def _waiting(refusal: Refusal) -> Waiting:
    return Waiting(refusal.reason, refusal.message, refusal.remedy)


def _is_fit(version: ModelVersion) -> bool:
    """Whether `latest` may mean it: packaged, gated, and not on its way out."""
    return bool(version.status.image) and _gated(version) and version.metadata.deletion_timestamp is None


def _gated(version: ModelVersion) -> bool:
    gated = version.status.condition("Gated")
    return gated is not None and gated.status == "True"


def _no_version(resource: Deployment, view: View) -> Waiting:
    model = resource.spec.model.name
    reason = "NoVersion" if resource.status.stable is None else "DependencyNotReady"
    made = view.model_versions(resource.metadata.namespace, model)
    if not made:
        words = f"no ModelVersion of model {model} exists yet; a TrainingRun with spec.output.model {model} makes one"
        return Waiting(reason, words)
    newest = made[-1]
    ready = newest.status.condition(READY)
    if newest.status.image and not _gated(newest):
        return Waiting(reason, f"ModelVersion {newest.metadata.name} is packaged, but its gates are not known to hold")
    why = ready.reason if ready else "it has just been made"
    return Waiting(reason, f"ModelVersion {newest.metadata.name} is not Ready: {why}")


def _no_named(named: ModelVersion | None, resource: Deployment) -> str:
    model = resource.spec.model
    if named is None:
        return f"ModelVersion {model.version} does not exist; apply it, or correct spec.model.version"
    if named.spec.model != model.name:
        return f"ModelVersion {model.version} is of model {named.spec.model}, not {model.name}; correct spec.model"
    ready = named.status.condition(READY)
    return f"ModelVersion {model.version} is not Ready: {ready.reason if ready else 'it has just been made'}"

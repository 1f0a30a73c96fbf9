"""Which version of a model a Deployment should serve, and why a wish has to wait."""

from dataclasses import dataclass, replace

from modelwright.api.v1alpha1 import Deployment, ModelVersion
from modelwright.api.v1alpha1.deployment import LATEST, StableVersion
from modelwright.config import Policy
from modelwright.names import IMAGE_ANNOTATION
from modelwright.objects import AppsDeployment
from modelwright.reconcilers.approval import Refusal, may_serve
from modelwright.reconcilers.compatibility import incompatible
from modelwright.reconcilers.fitness import is_fit, no_named, no_version
from modelwright.reconcilers.quarantine import digest_of, quarantined
from modelwright.view import View


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why the wish is not fulfilled: a reason of Ready, what is so, and what a person could write."""

    reason: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The version that should be served in the end, by whatever steps; without an image, none.

    `waiting` says why there is none, or why a newer wish is not fulfilled; `leaving` why what is served must give way;
    `held` is the version that begins once `spec.paused` is no more.
    """

    model: str = ""
    version: str = ""
    image: str = ""
    waiting: Waiting | None = None
    leaving: Refusal | None = None
    held: str = ""

    @property
    def digest(self) -> str:
        """The digest of its image."""
        return digest_of(self.image)

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

    Neither is one whose image is in quarantine, nor one that does not understand the requests of what is served. What
    is served and may be no longer gives way to the last approved version that was served before it. Where there is
    none and a person has said no, nothing is served.
    """
    policy, stable = view.config.policy.of(resource.metadata.namespace), resource.status.stable
    leaving = _leaving(resource, view, policy)
    wish = _wish(resource, view, policy, stable if leaving is None else None)
    if isinstance(wish, Choice) and (leaving is None or not leaving.revoked):
        wish = _clash(resource, view, wish) or wish
    if leaving is not None and (back := _served_before(resource, view, policy)) is not None:
        waiting = wish if isinstance(wish, Waiting) else wish.waiting
        return _unless_paused(resource, view, policy, replace(back, waiting=waiting, leaving=leaving))
    if isinstance(wish, Choice):
        return _unless_paused(resource, view, policy, replace(wish, leaving=leaving))
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
    known = _version(view, resource, _again(stable))
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
        fit = [version for version in view.model_versions(namespace, model.name) if is_fit(version)]
        allowed = [version for version in fit if may_serve(version, policy) is None]
        tried = [version for version in allowed if quarantined(resource, version.status.image) is None]
        waiting = _rejected(resource, allowed[-1]) if allowed else None
        if tried:
            return replace(_of(tried[-1]), waiting=waiting)
        if waiting is not None:
            return waiting
        if serving is not None and serving.model == model.name:
            return _again(serving)
        refusal = may_serve(fit[-1], policy) if fit else None
        return _waiting(refusal) if refusal is not None else Waiting(*no_version(resource, view))
    named = view.model_version(namespace, model.version)
    if named is not None and named.spec.model == model.name and named.status.image:
        refusal = may_serve(named, policy)
        return _waiting(refusal) if refusal is not None else _rejected(resource, named) or _of(named)
    if serving is not None and (serving.model, serving.version) == (model.name, model.version):
        return _again(serving)
    return Waiting("DependencyNotReady", no_named(named, resource))


def _served_before(resource: Deployment, view: View, policy: Policy) -> Choice | None:
    """The last version in the history that is there still, with that image, approved, and not in quarantine."""
    stable = resource.status.stable
    if stable is None:
        return None
    there = {
        (version.metadata.name, version.status.image): version
        for version in view.model_versions(resource.metadata.namespace, stable.model)
        if version.metadata.deletion_timestamp is None and quarantined(resource, version.status.image) is None
    }
    known = (there.get((record.version, record.image)) for record in resource.status.history)
    return next((_of(version) for version in known if version is not None and may_serve(version, policy) is None), None)


def _rejected(resource: Deployment, version: ModelVersion) -> Waiting | None:
    """Why the version that is wished for is not tried again, if it is not."""
    record = quarantined(resource, version.status.image)
    if record is None:
        return None
    said = f"ModelVersion {version.metadata.name} was taken back, {record.reason}: {record.message}"
    words = ["remove spec.rollout.abort"] if resource.spec.rollout.abort == record.digest else []
    words += ["remove spec.rollout.release for a while"] if record.released else []
    words += [f"write spec.rollout.release: {record.digest}"] if record.at is not None else []
    remedy = f"a new version is tried by itself; to try this one again {', and '.join(words)}"
    return Waiting("RolloutRejected", said, remedy)


def _clash(resource: Deployment, view: View, wish: Choice) -> Waiting | None:
    """Why requests to what is served would fail with the wish, if they would and the spec does not allow it."""
    stable = resource.status.stable
    if stable is None or resource.spec.rollout.allow_incompatible or wish.is_served(stable):
        return None
    wished, served = _version(view, resource, wish), _version(view, resource, _again(stable))
    said = incompatible(wished.status.signature, served.status.signature) if wished and served else None
    if said is None:
        return None
    words = f"requests to {stable.version} would fail with ModelVersion {wish.version}: {said}"
    remedy = "train with the columns of before, or write spec.rollout.allowIncompatible: true"
    return Waiting("SignatureIncompatible", words, remedy)


def _unless_paused(resource: Deployment, view: View, policy: Policy, found: Choice) -> Choice:
    """The choice; while the spec is paused, what has begun already, or else what is served."""
    stable = resource.status.stable
    if not resource.spec.paused or found.revokes is not None or found.is_served(stable):
        return found
    begun = _begun(resource, view)
    if found.image == begun:
        return found
    known = (v for v in view.model_versions(resource.metadata.namespace, found.model) if v.status.image == begun)
    going = next(
        (_of(v) for v in known if may_serve(v, policy) is None and quarantined(resource, v.status.image) is None), None
    )
    kept, waiting = going or (_again(stable) if stable is not None else Choice()), found.waiting
    if stable is None or resource.spec.model.version != LATEST:
        words = f"ModelVersion {found.version} waits, because spec.paused is true"
        waiting = Waiting("Paused", words, "write spec.paused: false to let it begin")
    return replace(kept, waiting=waiting, held=found.version)


def _begun(resource: Deployment, view: View) -> str | None:
    """The image that is on its way to take over from what is served, if one is."""
    trying, stable = resource.status.rollout, resource.status.stable
    if trying is not None and not trying.verdict:
        return trying.image
    live = view.deployment(resource.metadata.name)
    image = template_image(live) if live is not None else ""
    return None if not image or (stable is not None and stable.image == image) else image


def _version(view: View, resource: Deployment, choice: Choice) -> ModelVersion | None:
    """The ModelVersion that was chosen, if it is there still, with that image."""
    versions = view.model_versions(resource.metadata.namespace, choice.model)
    return next((v for v in versions if (v.metadata.name, v.status.image) == (choice.version, choice.image)), None)


def _of(version: ModelVersion) -> Choice:
    return Choice(version.spec.model, version.metadata.name, version.status.image)


def _again(stable: StableVersion) -> Choice:
    return Choice(stable.model, stable.version, stable.image)


def _is(stable: StableVersion, choice: Choice) -> bool:
    return (stable.model, stable.version, stable.image) == (choice.model, choice.version, choice.image)


def _waiting(refusal: Refusal) -> Waiting:
    return Waiting(refusal.reason, refusal.message, refusal.remedy)

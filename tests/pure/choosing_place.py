"""A Deployment and the versions of its model, as plain values, to choose among."""

from collections.abc import Mapping, Sequence

from modelwright.api.v1alpha1 import Deployment, ModelVersion
from modelwright.config import Config
from modelwright.names import IMAGE_ANNOTATION
from modelwright.objects import AppsDeployment
from modelwright.plan import JsonObject
from modelwright.reconcilers.choosing import Choice, choose
from modelwright.view import View
from pure import samples

MODEL = "late-flights"
_GATED = {
    "type": "Gated", "status": "True", "reason": "GatesPassed", "message": "passed",
    "lastTransitionTime": "2026-05-01T00:00:00Z",
}  # fmt: skip


def image(name: str) -> str:
    """The image of a version."""
    return f"registry.test/{MODEL}@{samples.digest(name)}"


def version(name: str, *, of: str = "", **more: object) -> ModelVersion:
    """A gated version with an image, or with that `of` another; later names were made later."""
    found = samples.model_version(name, MODEL)
    metadata = {"name": name, "namespace": samples.NAMESPACE, "creationTimestamp": f"2026-05-01T00:00:{name[1:]:0>2}Z"}
    status = {"conditions": [_GATED], "image": image(of or name), **more}
    return ModelVersion.parse({**found, "metadata": metadata, "status": status})


def deployment(
    serving: str = "v1", *, wanted: str = "latest", status: Mapping[str, object] | None = None, **spec: object
) -> Deployment:
    """A Deployment that serves a version (none where it is empty), and more of its spec and status."""
    told: JsonObject = {"observedGeneration": 1, **(status or {})}
    if serving:
        told["stable"] = {"model": MODEL, "version": serving, "image": image(serving)}
        told["history"] = [{"version": serving, "image": image(serving)}]
    return Deployment.parse({**samples.deployment(version=wanted, **spec), "status": told})


def record(name: str, **more: object) -> JsonObject:
    """A line of the quarantine."""
    said = {"version": name, "reason": "ErrorRate", "message": "it failed", "at": "2026-05-01T12:00:00Z"}
    return {"digest": samples.digest(name), **said, **more}


def under_way(name: str) -> JsonObject:
    """The status of a canary that has no verdict yet."""
    return {"version": name, "image": image(name), "step": 1}


def chosen(
    resource: Deployment, versions: Sequence[ModelVersion], *, template: str = "", config: Config | None = None
) -> Choice:
    """What is chosen among these, where the servers' template is of the version `template`."""
    topic = ("Model", samples.NAMESPACE, MODEL)
    named = {
        ("ModelVersion", samples.NAMESPACE, one.metadata.name): (one,)
        for one in versions
        if one.metadata.name == resource.spec.model.version
    }
    view = View(config or samples.config(), children=_servers(template), related={topic: tuple(versions), **named})
    return choose(resource, view)


def _servers(template: str) -> tuple[AppsDeployment, ...]:
    if not template:
        return ()
    live: AppsDeployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": MODEL, "namespace": samples.NAMESPACE, "uid": "u", "creationTimestamp": ""},
        "spec": {"template": {"metadata": {"annotations": {IMAGE_ANNOTATION: image(template)}}}},
    }
    return (live,)

"""What the tests of this folder ask of a real API server, and what they do to objects behind the operator's back."""

from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from modelwright.kube import Conflict, KubeClient, NotFound
from modelwright.names import APPLIED_ANNOTATION
from modelwright.objects import KubeObject
from modelwright.plan import JsonObject
from modelwright.resources import CHILDREN, EVENTS, OPTIONAL, ResourceType, ours

DATASETS = ours("Dataset", "datasets")
RUNS = ours("TrainingRun", "trainingruns")
VERSIONS = ours("ModelVersion", "modelversions")
DEPLOYMENTS = ours("Deployment", "modeldeployments")
WRITTEN = (DATASETS, RUNS, VERSIONS, DEPLOYMENTS, *(type_ for type_ in CHILDREN if type_ not in OPTIONAL), EVENTS)


def manifest(of: JsonObject, namespace: str) -> JsonObject:
    """A sample in a test's namespace."""
    return {**of, "metadata": {**cast(JsonObject, of["metadata"]), "namespace": namespace}}


def condition(obj: KubeObject, type_: str) -> Mapping[str, str]:
    """One condition of an object; empty where it is not there."""
    status = cast(Mapping[str, list[Mapping[str, str]]], dict(obj).get("status") or {})
    return next((one for one in status.get("conditions", []) if one["type"] == type_), {})


def is_ready(kube: KubeClient, type_: ResourceType, namespace: str, name: str) -> Callable[[], Awaitable[bool]]:
    """A question: whether an object is Ready now."""

    async def asked() -> bool:
        try:
            found = await kube.get(type_, namespace, name)
        except NotFound:
            return False
        return condition(found, "Ready").get("status") == "True"

    return asked


async def versions(kube: KubeClient, namespace: str) -> dict[str, str]:
    """The resourceVersion of everything that the operator could have written."""
    found = {}
    for type_ in WRITTEN:
        for item in (await kube.page(type_, namespace)).items:
            found[f"{type_.plural}.{type_.group}/{item['metadata']['name']}"] = item["metadata"].get(
                "resourceVersion", ""
            )
    return found


def put(*path: str | int, value: object = None) -> Callable[[JsonObject], None]:
    """An edit: a field's new value, or its removal."""

    def edit(obj: JsonObject) -> None:
        *parents, last = path
        inside = cast(dict[str | int, object], obj)
        for step in parents:
            inside = cast(dict[str | int, object], inside[step])
        del inside[last]
        if value is not None:
            inside[last] = value

    return edit


def essence(obj: KubeObject) -> JsonObject:
    """What an object of ours is meant to be."""
    metadata = obj["metadata"]
    applied = metadata.get("annotations", {}).get(APPLIED_ANNOTATION)
    return {"spec": dict(obj)["spec"], "labels": metadata.get("labels"), "applied": applied}


async def edited(kube: KubeClient, type_: ResourceType, namespace: str, edit: Callable[[JsonObject], None]) -> None:
    """Another hand's change."""
    while True:
        found = cast(JsonObject, await kube.get(type_, namespace, "late-flights"))
        edit(found)
        try:
            await kube.replace(type_, namespace, "late-flights", found)
        except Conflict:
            continue
        return

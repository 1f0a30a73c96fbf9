"""Reading Kubernetes objects as plain JSON, for the world of the pure tests."""

from collections.abc import Mapping
from typing import cast

from modelwright.objects import KubeObject
from modelwright.plan import JsonObject, Ref


def metadata_of(obj: JsonObject) -> JsonObject:
    """The object's metadata."""
    return cast(JsonObject, obj["metadata"])


def uid_of(obj: KubeObject) -> str:
    """The object's UID."""
    return obj["metadata"]["uid"]


def inside(obj: JsonObject, *path: str) -> JsonObject:
    """What lies at a path in the object."""
    for part in path:
        obj = cast(JsonObject, obj[part])
    return obj


def kind_of(manifest: JsonObject) -> str:
    """The kind that the world keeps an object under."""
    return "apps/Deployment" if manifest["apiVersion"] == "apps/v1" else str(manifest["kind"])


def has_ended(job: JsonObject) -> bool:
    """Whether the Job controller says that the Job is over."""
    found = cast(list[Mapping[str, str]], cast(JsonObject, job.get("status") or {}).get("conditions") or [])
    return any(c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in found)


def is_behind(live: JsonObject) -> bool:
    """Whether an apps/v1 Deployment has not all the servers that it should."""
    status = cast(JsonObject, live.get("status") or {})
    wanted = inside(live, "spec")["replicas"]
    return status.get("observedGeneration") != metadata_of(live)["generation"] or status.get("readyReplicas") != wanted


def id_of(ref: Ref) -> tuple[str, str]:
    """Where a child lies in the world; `Deployment` is apps/v1's, because no plan deletes ours."""
    return ("apps/Deployment" if ref.kind == "Deployment" else ref.kind, ref.name)

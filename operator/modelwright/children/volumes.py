"""Volumes for the places that a URI can name: a claim or a ConfigMap; an object store needs none."""

from urllib.parse import urlsplit

from modelwright import names
from modelwright.children.pod import MOUNTS
from modelwright.plan import JsonObject

LABEL_LENGTH = 63


def volume_for(uri: str, *, read_only: bool) -> tuple[JsonObject, JsonObject] | None:
    """The volume and its mount that make `uri` readable in a Pod, or None where the network does.

    `pvc://claim/path` appears at `/mnt/pvc/claim`, `configmap://name/key` at `/mnt/configmap/name`. A ConfigMap may
    be missing when the Pod starts: the worker then says so, where the kubelet would wait in silence.
    """
    parts = urlsplit(uri)
    match parts.scheme:
        case "pvc":
            source: JsonObject = {"persistentVolumeClaim": {"claimName": parts.netloc}}
        case "configmap":
            source = {"configMap": {"name": parts.netloc, "optional": True}}
        case _:
            return None
    name = _volume_name(f"{parts.scheme}-{parts.netloc}")
    mount: JsonObject = {"name": name, "mountPath": f"{MOUNTS}/{parts.scheme}/{parts.netloc}"}
    if read_only:
        mount["readOnly"] = True
    return {"name": name, **source}, mount


def _volume_name(place: str) -> str:
    """A DNS label; a place that is none itself gets a hash, so that two places never share a volume."""
    if len(place) <= LABEL_LENGTH and "." not in place:
        return place
    return names.derived(place.replace(".", "-"), place)


def volumes_for(store: str, source: str | None = None) -> tuple[list[JsonObject], list[JsonObject]]:
    """Volumes and mounts for a step's artifact store and, if it reads one, its source; one claim is mounted once."""
    found = [volume_for(store, read_only=False)]
    if source is not None and urlsplit(source)[:2] != urlsplit(store)[:2]:
        found.append(volume_for(source, read_only=True))
    pairs = [pair for pair in found if pair is not None]
    return [volume for volume, _ in pairs], [mount for _, mount in pairs]

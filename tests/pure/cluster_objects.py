"""Objects as the API server would send them, with what every one of them has."""

from collections.abc import Mapping
from itertools import count
from typing import TypedDict, Unpack, cast

from modelwright.names import NAMESPACE_CONFIG_LABEL
from modelwright.objects import KubeObject
from modelwright.plan import JsonObject

_VERSIONS = count(1)
DIGEST = "sha256:" + "0" * 64


class Rest(TypedDict, total=False):
    """What a test may set itself; `version` is otherwise newer than that of every object before."""

    uid: str
    version: int
    metadata: Mapping[str, object]
    status: Mapping[str, object]


def obj(
    kind: str,
    name: str,
    api: str = "modelwright.dev/v1alpha1",
    owner: KubeObject | None = None,
    body: Mapping[str, object] | None = None,
    **rest: Unpack[Rest],
) -> KubeObject:
    """An object in namespace `n`."""
    meta: JsonObject = {
        "name": name,
        "namespace": "n",
        "uid": rest.get("uid", f"uid-{kind.lower()}-{name}"),
        "resourceVersion": str(rest.get("version") or next(_VERSIONS)),
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "generation": 1,
        "managedFields": [{"manager": "somebody"}],
        **rest.get("metadata", {}),
    }
    if owner is not None:
        meta["ownerReferences"] = [
            {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                "controller": True,
            }
        ]
    status = {"status": rest["status"]} if "status" in rest else {}
    return cast(KubeObject, {"apiVersion": api, "kind": kind, "metadata": meta, **(body or {}), **status})


def dataset(name: str, **rest: Unpack[Rest]) -> KubeObject:
    """A Dataset."""
    return obj("Dataset", name, body={"spec": {"source": {"uri": "s3://raw-data/flights.csv"}}}, **rest)


def model_version(name: str, model: str, **rest: Unpack[Rest]) -> KubeObject:
    """A ModelVersion of a model."""
    spec = {"model": model, "source": {"trainingRun": "run", "digest": DIGEST}}
    return obj("ModelVersion", name, body={"spec": spec}, **rest)


def deployment(name: str, model: str, **rest: Unpack[Rest]) -> KubeObject:
    """A Deployment of ours that serves the newest version of a model."""
    return obj("Deployment", name, body={"spec": {"model": {"name": model}}}, **rest)


def job(name: str, owner: KubeObject, **rest: Unpack[Rest]) -> KubeObject:
    """A Job of an object of ours."""
    return obj("Job", name, api="batch/v1", owner=owner, **rest)


def pod(name: str, owner: KubeObject, **rest: Unpack[Rest]) -> KubeObject:
    """A Pod of a Job or a ReplicaSet."""
    return obj("Pod", name, api="v1", owner=owner, **rest)


def refusal(name: str, about: KubeObject, message: str, at: str | None = None, **rest: Unpack[Rest]) -> KubeObject:
    """An Event that tells why the Pod of a Job was not made."""
    involved = {"kind": about["kind"], "name": about["metadata"]["name"], "uid": about["metadata"]["uid"]}
    body = {"involvedObject": involved, "reason": "FailedCreate", "message": message, "lastTimestamp": at, "count": 3}
    return obj("Event", name, api="v1", body=body, **rest)


def override(text: str) -> KubeObject:
    """A namespace's own configuration."""
    labels = {"labels": {NAMESPACE_CONFIG_LABEL: "true"}}
    return obj("ConfigMap", "modelwright", "v1", body={"data": {"config.yaml": text}}, metadata=labels)

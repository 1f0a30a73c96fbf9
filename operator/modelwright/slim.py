"""What of each object is worth remembering: exactly what reconcilers and the engine read.

Two versions of an object that are equal when slim are no news, so slimming also decides what wakes a reconciler.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, cast

from modelwright.names import (
    APPLIED_ANNOTATION,
    FIELD_MANAGER,
    IMAGE_ANNOTATION,
    KEY_ANNOTATION,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    ROUTING_ANNOTATION,
)
from modelwright.objects import KubeObject
from modelwright.plan import JsonObject

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_METADATA = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "labels", "ownerReferences")
_ANNOTATIONS = (APPLIED_ANNOTATION, KEY_ANNOTATION, ROUTING_ANNOTATION)
_CONDITION = ("type", "status", "reason", "message")
_CONTAINER = ("name", "state", "lastState", "ready", "restartCount")


def slim(obj: KubeObject) -> KubeObject:
    """The object without what nobody reads; without its resourceVersion, too, but where a reconciler relies on it."""
    return cast(KubeObject, _SLIMMERS.get((obj["apiVersion"], obj["kind"]), _own)(cast(JsonObject, obj)))


def _own(obj: JsonObject) -> JsonObject:
    metadata = _pick(obj.get("metadata"), (*_METADATA, "generation", "annotations"))
    annotations = _mapping(metadata.get("annotations"))
    if _LAST_APPLIED in annotations:
        metadata["annotations"] = {name: text for name, text in annotations.items() if name != _LAST_APPLIED}
    return {**obj, "metadata": metadata}


def _job(obj: JsonObject) -> JsonObject:
    status = _pick(obj.get("status"), ("startTime", "completionTime"))
    return _child(obj, _pick(obj.get("spec"), ("suspend",)), _with_conditions(status, obj))


def _deployment(obj: JsonObject) -> JsonObject:
    counts = ("observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    spec = _pick(obj.get("spec"), ("replicas",))
    template = _mapping(_mapping(obj.get("spec")).get("template"))
    annotations = _pick(_mapping(template.get("metadata")).get("annotations"), (IMAGE_ANNOTATION,))
    inits = [_pick(one, ("name",)) for one in _list(_mapping(template.get("spec")).get("initContainers"))]
    spec["template"] = {"metadata": {"annotations": annotations}, "spec": {"initContainers": inits}}
    return _applied(obj, _child(obj, spec, _with_conditions(_pick(obj.get("status"), counts), obj)))


def _pod(obj: JsonObject) -> JsonObject:
    old = _mapping(obj.get("status"))
    status = _with_conditions(_pick(old, ("phase", "reason", "message", "podIP")), obj)
    for field in ("initContainerStatuses", "containerStatuses"):
        if field in old:
            status[field] = [_pick(one, _CONTAINER) for one in _list(old[field])]
    return _child(obj, None, status)


def _service(obj: JsonObject) -> JsonObject:
    return _applied(obj, _child(obj, _pick(obj.get("spec"), ("clusterIP",)), None))


def _configured(obj: JsonObject) -> JsonObject:
    """A child that is of interest only for being as it was applied."""
    return _applied(obj, _child(obj, None, None))


def _ingress(obj: JsonObject) -> JsonObject:
    return _applied(obj, _child(obj, None, _pick(obj.get("status"), ("loadBalancer",))))


def _autoscaler(obj: JsonObject) -> JsonObject:
    """Its words are of interest only where it says no."""
    found = [_mapping(one) for one in _list(_mapping(obj.get("status")).get("conditions"))]
    told = [
        _pick(one, ("type", "status") if one.get("status") == "True" else _CONDITION)
        for one in found
        if one.get("type") in ("AbleToScale", "ScalingActive")
    ]
    return _applied(obj, _child(obj, None, {"conditions": told}))


def _http_route(obj: JsonObject) -> JsonObject:
    condition = (*_CONDITION, "observedGeneration", "lastTransitionTime")
    parents = [
        {
            "parentRef": _pick(_mapping(parent).get("parentRef"), ("name", "namespace", "sectionName")),
            "conditions": [_pick(one, condition) for one in _list(_mapping(parent).get("conditions"))],
        }
        for parent in _list(_mapping(obj.get("status")).get("parents"))
    ]
    return _applied(obj, _child(obj, None, {"parents": parents}))


def _replica_set(obj: JsonObject) -> JsonObject:
    return _child(obj, None, None)


def _config_map(obj: JsonObject) -> JsonObject:
    """One of ours is applied onto the version that was seen only."""
    kept = _applied(obj, {**_child(obj, None, None), "data": _mapping(obj.get("data"))})
    metadata = _mapping(kept["metadata"])
    if _mapping(metadata.get("labels")).get(MANAGED_BY_LABEL) != MANAGED_BY:
        return kept
    return {**kept, "metadata": {**metadata, **_pick(obj.get("metadata"), ("resourceVersion",))}}


def _event(obj: JsonObject) -> JsonObject:
    about = _pick(obj.get("involvedObject"), ("kind", "name", "uid"))
    return {**_child(obj, None, None), "involvedObject": about, **_pick(obj, ("message", "lastTimestamp"))}


def _child(obj: JsonObject, spec: JsonObject | None, status: JsonObject | None) -> JsonObject:
    counted = obj["kind"] in ("Deployment", "HTTPRoute")
    metadata = _pick(obj.get("metadata"), (*_METADATA, "generation") if counted else _METADATA)
    annotations = _pick(_mapping(obj.get("metadata")).get("annotations"), _ANNOTATIONS)
    if annotations:
        metadata["annotations"] = annotations
    kept: JsonObject = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}
    if spec is not None:
        kept["spec"] = spec
    if status is not None:
        kept["status"] = status
    return kept


def _applied(obj: JsonObject, kept: JsonObject) -> JsonObject:
    """With the list of the fields that are as we applied them, so that another hand's change of one is news."""
    listed = [_mapping(one) for one in _list(_mapping(obj.get("metadata")).get("managedFields"))]
    ours = [one for one in listed if (one.get("manager"), one.get("operation")) == (FIELD_MANAGER, "Apply")]
    fields = ("manager", "operation", "fieldsV1")
    return {**kept, "metadata": {**_mapping(kept["metadata"]), "managedFields": [_pick(one, fields) for one in ours]}}


def _with_conditions(status: JsonObject, obj: JsonObject) -> JsonObject:
    conditions = _mapping(obj.get("status")).get("conditions")
    if conditions:
        status["conditions"] = [_pick(one, _CONDITION) for one in _list(conditions)]
    return status


def _pick(value: object, fields: Iterable[str]) -> JsonObject:
    found = _mapping(value)
    return {field: found[field] for field in fields if field in found}


def _mapping(value: object) -> Mapping[str, object]:
    return cast(Mapping[str, object], value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


_SLIMMERS: Final[Mapping[tuple[str, str], Callable[[JsonObject], JsonObject]]] = {
    ("batch/v1", "Job"): _job,
    ("apps/v1", "Deployment"): _deployment,
    ("apps/v1", "ReplicaSet"): _replica_set,
    ("v1", "Pod"): _pod,
    ("v1", "Service"): _service,
    ("policy/v1", "PodDisruptionBudget"): _configured,
    ("autoscaling/v2", "HorizontalPodAutoscaler"): _autoscaler,
    ("networking.k8s.io/v1", "NetworkPolicy"): _configured,
    ("networking.k8s.io/v1", "Ingress"): _ingress,
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): _http_route,
    ("monitoring.coreos.com/v1", "PodMonitor"): _configured,
    ("v1", "ConfigMap"): _config_map,
    ("v1", "Event"): _event,
}

"""An API server in memory, as far as the engine can tell: versions, UIDs, owners, server-side apply, merge patch."""

import copy
from typing import cast

from modelwright.kube import AlreadyExists, ApiError, Conflict, NotFound
from modelwright.objects import KubeObject
from modelwright.plan import JsonObject
from modelwright.resources import EVENTS, ResourceType

Write = tuple[str, str, str]


class KubeDouble:
    """`Api` over dictionaries. `writes` records (verb, kind, name); `fails` answers the next call of a verb."""

    def __init__(self) -> None:
        self.objects: dict[tuple[ResourceType, str, str], JsonObject] = {}
        self.writes: list[Write] = []
        self.fails: dict[tuple[str, str], ApiError] = {}
        self.managers: dict[tuple[str, str], set[str]] = {}
        self._version = 100
        self._uid = 0

    def put(self, type_: ResourceType, obj: JsonObject) -> KubeObject:
        """Somebody else's write."""
        metadata = cast(JsonObject, obj["metadata"])
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        if "uid" not in metadata:
            self._uid += 1
            metadata["uid"] = f"uid-{self._uid}"
        metadata.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
        obj.setdefault("apiVersion", type_.api_version)
        obj.setdefault("kind", type_.kind)
        self.objects[type_, str(metadata["namespace"]), str(metadata["name"])] = obj
        return self._out(obj)

    async def get(self, type_: ResourceType, namespace: str, name: str) -> KubeObject:
        self._maybe_fail("get", type_)
        return self._out(self._find(type_, namespace, name))

    async def create(self, type_: ResourceType, namespace: str, manifest: JsonObject) -> KubeObject:
        name = self._record("create", type_, manifest)
        if (type_, namespace, name) in self.objects:
            raise AlreadyExists(409, "AlreadyExists", f"{type_.plural} {name} already exists")
        return self.put(type_, copy.deepcopy(manifest))

    async def apply(self, type_: ResourceType, namespace: str, manifest: JsonObject, manager: str) -> KubeObject:
        name = self._record("scale" if manager == "modelwright-scale" else "apply", type_, manifest)
        known = self.objects.get((type_, namespace, name))
        uid = cast(JsonObject, manifest["metadata"]).get("uid")
        if uid is not None and (known is None or cast(JsonObject, known["metadata"])["uid"] != uid):
            raise Conflict(409, "Conflict", "Precondition failed: UID")
        version = cast(JsonObject, manifest["metadata"]).get("resourceVersion")
        if version is not None and (known is None or cast(JsonObject, known["metadata"])["resourceVersion"] != version):
            raise Conflict(409, "Conflict", "the object has been modified")
        merged = _merge(known or {"spec": {"replicas": 1}}, copy.deepcopy(manifest))
        if manager == "modelwright":
            entry = {"manager": manager, "operation": "Apply", "fieldsV1": _fields(manifest)}
            cast(JsonObject, merged["metadata"])["managedFields"] = [entry]
        return self.put(type_, merged)

    def edit(self, type_: ResourceType, namespace: str, name: str, *path: str, value: object = None) -> KubeObject:
        """Another hand's change of one field, or its removal: nobody else owns that field any more."""
        obj = self.objects[type_, namespace, name]
        entry = cast(list[JsonObject], cast(JsonObject, obj["metadata"])["managedFields"])[0]
        entry["fieldsV1"] = _without(cast(JsonObject, entry["fieldsV1"]), path)
        parent = obj
        for step in path[:-1]:
            parent = cast(JsonObject, parent[step])
        parent.pop(path[-1], None)
        if value is not None:
            parent[path[-1]] = value
        return self.put(type_, obj)

    async def overwrite(self, type_: ResourceType, namespace: str, name: str, patch: JsonObject) -> KubeObject:
        self.writes.append(("overwrite", type_.kind, name))
        self._maybe_fail("overwrite", type_)
        known = self._find(type_, namespace, name)
        if cast(JsonObject, known["metadata"])["uid"] != cast(JsonObject, patch["metadata"])["uid"]:
            raise Conflict(409, "Conflict", "Precondition failed: UID")
        return self.put(type_, _merge(known, patch))

    async def patch_status(self, type_: ResourceType, namespace: str, name: str, patch: JsonObject) -> KubeObject:
        self.writes.append(("status", type_.kind, name))
        self._maybe_fail("status", type_)
        known = self._find(type_, namespace, name)
        if (
            cast(JsonObject, patch["metadata"])["resourceVersion"]
            != cast(JsonObject, known["metadata"])["resourceVersion"]
        ):
            raise Conflict(409, "Conflict", "the object has been modified")
        return self.put(type_, _merge(known, {"status": patch["status"]}))

    async def delete(self, type_: ResourceType, namespace: str, name: str, uid: str | None) -> KubeObject | None:
        self.writes.append(("delete", type_.kind, name))
        self._maybe_fail("delete", type_)
        known = self._find(type_, namespace, name)
        if uid is not None and cast(JsonObject, known["metadata"])["uid"] != uid:
            raise Conflict(409, "Conflict", "Precondition failed: UID")
        del self.objects[type_, namespace, name]
        return None

    def written(self) -> list[Write]:
        """What was written since the last call, without Events."""
        taken, self.writes = self.writes, []
        return [write for write in taken if write[1] != EVENTS.kind]

    def events(self) -> list[JsonObject]:
        """All Events, oldest first."""
        return [obj for (type_, _, _), obj in self.objects.items() if type_ == EVENTS]

    def _record(self, verb: str, type_: ResourceType, manifest: JsonObject) -> str:
        name = str(cast(JsonObject, manifest["metadata"])["name"])
        self.writes.append((verb, type_.kind, name))
        self._maybe_fail(verb, type_)
        return name

    def _maybe_fail(self, verb: str, type_: ResourceType) -> None:
        error = self.fails.pop((verb, type_.kind), None)
        if error is not None:
            raise error

    def _find(self, type_: ResourceType, namespace: str, name: str) -> JsonObject:
        try:
            return self.objects[type_, namespace, name]
        except KeyError:
            raise NotFound(404, "NotFound", f"{type_.plural} {name} not found") from None

    def _out(self, obj: JsonObject) -> KubeObject:
        return cast(KubeObject, copy.deepcopy(obj))


def _fields(manifest: JsonObject) -> JsonObject:
    """Every field of a manifest as the API server lists it, with each list as a whole."""
    unowned = {"apiVersion", "kind", "name", "namespace", "uid"}
    return {
        f"f:{name}": _fields(value) if isinstance(value, dict) else {}
        for name, value in manifest.items()
        if name not in unowned
    }


def _without(fields: JsonObject, path: tuple[str, ...]) -> JsonObject:
    """Fields without one of them, and without a parent that has no other."""
    first, rest = f"f:{path[0]}", path[1:]
    kept = {name: inner for name, inner in fields.items() if name != first}
    inner = _without(cast(JsonObject, fields[first]), rest) if rest and first in fields else {}
    return {**kept, first: inner} if inner else kept


def _merge(old: JsonObject, patch: JsonObject) -> JsonObject:
    merged = copy.deepcopy(old)
    for name, value in patch.items():
        before = merged.get(name)
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = _merge(before if isinstance(before, dict) else {}, value)
        else:
            merged[name] = value
    return merged

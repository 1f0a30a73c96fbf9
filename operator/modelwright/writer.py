"""Carries out what a plan wants, one object at a time, and writes nothing that is so already.

What the API server answers goes straight into the cache, newest version first, so the next pass always sees what this
one wrote and there is nothing to wait for.
"""

import hashlib
import logging
from collections.abc import Iterable, Mapping
from typing import cast

import orjson

from modelwright import metrics
from modelwright.cache import Cache
from modelwright.intake import Intake
from modelwright.kube import AlreadyExists, Api, ApiError, Conflict, Forbidden, Invalid, NotFound
from modelwright.names import APPLIED_ANNOTATION, FIELD_MANAGER, SCALE_FIELD_MANAGER
from modelwright.objects import KubeObject, OwnerReference, controller
from modelwright.ownership import is_ours
from modelwright.patch import merge_patch, without_nulls
from modelwright.plan import Child, Event, JsonObject, Ref, Touch
from modelwright.recorder import event_manifest
from modelwright.resources import CHILDREN, EVENTS, PODS, Key, ResourceType, child_type

logger = logging.getLogger(__name__)


class Refused(Exception):
    """The API server will not take a child; `reason` is a condition's, `message` is for the object's author."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class Outdated(Exception):
    """The object has changed since it was cached, so what was decided for it no longer counts."""


class Waits(Exception):
    """The name is still held by a child of an earlier object of ours, or by one that is going: it will be free soon."""


class Leaving(Exception):
    """The namespace is being deleted: nothing can be made in it, and nothing needs to be."""


class Writer:
    """Writes through `kube`; reads what is known from `cache`; `identity` names this operator in Events."""

    def __init__(
        self, kube: Api, cache: Cache, intake: Intake, own: Iterable[ResourceType], identity: str = "modelwright"
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._intake = intake
        self._types = {(type_.api_version, type_.kind): type_ for type_ in (*own, *CHILDREN)}
        self._identity = identity

    async def make(self, child: Child) -> None:
        """Makes one child so. Raises Refused, Waits, Leaving, Outdated, ApiError."""
        kind, namespace, name = _named(child.manifest)
        type_ = self._types[str(child.manifest["apiVersion"]), kind]
        try:
            match child.mode:
                case "apply":
                    await self._apply(type_, namespace, name, child)
                case "create":
                    await self._create(type_, namespace, name, child.manifest)
                case "fact":
                    await self._record(type_, namespace, name, child.manifest)
        except ApiError as error:
            raise _refusal(type_, name, error) from error

    async def delete(self, ref: Ref) -> None:
        """Deletes that very object, unless it is on its way already. Raises Refused, ApiError."""
        type_ = child_type(ref.kind)
        known = self._cache.child(type_, ref.namespace, ref.name)
        if known is None or "deletionTimestamp" in known["metadata"]:
            return
        try:
            left = await self._kube.delete(type_, ref.namespace, ref.name, ref.uid)
        except Conflict:
            return
        except NotFound:
            left = None
        except ApiError as error:
            raise _refusal(type_, ref.name, error) from error
        if left is None:
            self._intake.gone(type_, known)
        else:
            self._intake.seen(type_, left)

    async def touch(self, touch: Touch) -> None:
        """Gives that very Pod its annotations. Never raises for the API server's sake: it only hastens what comes."""
        pod = touch.pod
        patch: JsonObject = {"metadata": {"uid": pod.uid, "annotations": dict(touch.annotations)}}
        try:
            now = await self._kube.overwrite(PODS, pod.namespace, pod.name, patch)
        except ApiError as error:
            logger.info("Pod %s is not touched: %s", pod.name, error)
        else:
            self._intake.seen(PODS, now)

    async def post(self, obj: KubeObject, event: Event) -> None:
        """Posts an Event about the object as it was before this pass. Never raises for the API server's sake."""
        manifest = event_manifest(obj, event, self._identity)
        try:
            await self._kube.create(EVENTS, obj["metadata"]["namespace"], manifest)
        except AlreadyExists:
            pass
        except ApiError as error:
            logger.info("event %s of %s is lost: %s", event.reason, obj["metadata"]["name"], error)
        else:
            metrics.POSTED.labels(obj["kind"], event.type, event.reason).inc()

    async def status(
        self, type_: ResourceType, obj: KubeObject, version: int, status: JsonObject, again: bool = True
    ) -> None:
        """Writes what has changed in the status of that very version of the object, if anything has.

        The object's own key is woken by it if `again`; a pass that is tried again later would else never wait.
        Raises Outdated where the object is another one by now, and ApiError. (The status subresource ignores a wrong
        `metadata.uid`; only the resourceVersion keeps a successor of the same name from getting this status.)
        """
        metadata = obj["metadata"]
        old = cast(Mapping[str, JsonObject], obj).get("status") or {}
        patch = merge_patch(old, without_nulls(status))
        if not patch:
            return
        guarded: JsonObject = {"metadata": {"resourceVersion": str(version)}, "status": patch}
        try:
            now = await self._kube.patch_status(type_, metadata["namespace"], metadata["name"], guarded)
        except (NotFound, Conflict) as error:
            await self._look_again(type_, obj)
            raise Outdated from error
        self._intake.seen(type_, now, None if again else Key(type_.kind, metadata["namespace"], metadata["name"]))

    async def _look_again(self, type_: ResourceType, obj: KubeObject) -> None:
        """The cache was wrong about the object: it is gone, or another one has its name."""
        metadata = obj["metadata"]
        try:
            found = await self._kube.get(type_, metadata["namespace"], metadata["name"])
        except NotFound:
            self._intake.gone(type_, obj)
            return
        if found["metadata"]["uid"] != metadata["uid"]:
            self._intake.gone(type_, obj)
        self._intake.seen(type_, found)

    async def _apply(self, type_: ResourceType, namespace: str, name: str, child: Child) -> None:
        known = self._cache.child(type_, namespace, name) or await self._stranger(type_, namespace, name)
        if known is not None:
            _check_owner(known, child.manifest)
            if "deletionTimestamp" in known["metadata"]:
                return
        now = known
        if known is None or not _is_so(known, child.manifest):
            digest = applied_hash(child.manifest)
            manifest = _with_metadata(child.manifest, known, {APPLIED_ANNOTATION: digest}, child.only_onto)
            try:
                now = await self._send(type_, namespace, manifest, FIELD_MANAGER)
            except Conflict as error:
                if child.only_onto is None:
                    raise
                self._intake.seen(type_, await self._kube.get(type_, namespace, name))
                raise Outdated from error
            except Invalid:
                if known is None:
                    raise
                # An item of a list that another hand has changed is theirs now and would stand beside ours, such as a
                # second port of the same name. A merge patch replaces whole lists.
                said = {part: value for part, value in child.manifest.items() if part in ("spec", "data")}
                same = {"metadata": {"uid": known["metadata"]["uid"]}, **said}
                await self._kube.overwrite(type_, namespace, name, same)
                now = await self._send(type_, namespace, manifest, FIELD_MANAGER)
        if child.replicas is not None and (known is None or _is_to_scale(now, child)):
            scale: JsonObject = {
                "apiVersion": child.manifest["apiVersion"],
                "kind": child.manifest["kind"],
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"replicas": child.replicas},
            }
            await self._send(type_, namespace, _with_metadata(scale, now, {}), SCALE_FIELD_MANAGER)

    async def _send(self, type_: ResourceType, namespace: str, manifest: JsonObject, manager: str) -> KubeObject:
        now = await self._kube.apply(type_, namespace, manifest, manager)
        self._intake.seen(type_, now)
        return now

    async def _stranger(self, type_: ResourceType, namespace: str, name: str) -> KubeObject | None:
        """What server-side apply would silently take over: an object that our selector does not see."""
        try:
            return await self._kube.get(type_, namespace, name)
        except NotFound:
            return None

    async def _create(self, type_: ResourceType, namespace: str, name: str, manifest: JsonObject) -> None:
        known = self._cache.child(type_, namespace, name)
        if known is None:
            try:
                known = await self._kube.create(type_, namespace, manifest)
            except AlreadyExists:
                known = await self._kube.get(type_, namespace, name)
            _check_owner(known, manifest)
            self._intake.seen(type_, known)
        _check_owner(known, manifest)

    async def _record(self, type_: ResourceType, namespace: str, name: str, manifest: JsonObject) -> None:
        known = self._cache.child(type_, namespace, name)
        if known is None:
            try:
                known = await self._kube.create(type_, namespace, manifest)
            except AlreadyExists:
                known = await self._kube.get(type_, namespace, name)
            self._intake.seen(type_, known)
        if not _within(manifest["spec"], cast(JsonObject, known)["spec"]):
            raise Refused(
                "NameTaken",
                f"{type_.kind} {name} exists with another spec; rename or delete it, or give this one's model "
                "another name",
            )


def applied_hash(manifest: JsonObject) -> str:
    """What the annotation `modelwright.dev/applied` says of a manifest: equal only if nothing is to be applied."""
    return hashlib.sha256(orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _named(manifest: JsonObject) -> tuple[str, str, str]:
    metadata = cast(Mapping[str, str], manifest["metadata"])
    return str(manifest["kind"]), metadata["namespace"], metadata["name"]


def _with_metadata(
    manifest: JsonObject, known: KubeObject | None, annotations: Mapping[str, str], version: str | None = None
) -> JsonObject:
    """The manifest with more annotations and, of an object that exists, with its UID: never its successor's.

    With `version` it is that resourceVersion alone which it is for.
    """
    metadata = dict(cast(JsonObject, manifest["metadata"]))
    if annotations:
        metadata["annotations"] = {**cast(Mapping[str, str], metadata.get("annotations") or {}), **annotations}
    if known is not None:
        metadata["uid"] = known["metadata"]["uid"]
    if version is not None:
        metadata["resourceVersion"] = version
    return {**manifest, "metadata": metadata}


def _is_so(known: KubeObject, manifest: JsonObject) -> bool:
    """Whether this manifest was the last one that was applied, and all of it is still as it was applied."""
    said = known["metadata"].get("annotations", {}).get(APPLIED_ANNOTATION)
    return said == applied_hash(manifest) and is_ours(known, manifest)


def _check_owner(obj: KubeObject, manifest: JsonObject) -> None:
    """Raises Waits where the object is an earlier one's of our name, or going; Refused where it is somebody else's."""
    theirs, ours = controller(obj), controller(cast(KubeObject, manifest))
    if theirs is None or ours is None or theirs["uid"] != ours["uid"]:
        name = obj["metadata"]["name"]
        earlier = theirs is not None and ours is not None and _who(theirs) == _who(ours)
        if earlier or "deletionTimestamp" in obj["metadata"]:
            raise Waits(f"{obj['kind']} {name} is still there, of an earlier object or on its way out")
        raise Refused(
            "NameTaken",
            f"{obj['kind']} {name} exists and belongs to something else; rename or delete it, or rename this object",
        )


def _who(owner: OwnerReference) -> tuple[str, str, str]:
    return owner["apiVersion"].partition("/")[0], owner["kind"], owner["name"]


def _is_to_scale(live: KubeObject | None, child: Child) -> bool:
    """Whether the object that was there has a wrong number of replicas; an autoscaler's only where that is none."""
    replicas = cast(Mapping[str, Mapping[str, object]], live or {}).get("spec", {}).get("replicas")
    return not replicas if child.autoscaled else replicas != child.replicas


def _within(wanted: object, found: object) -> bool:
    """Whether `found` says all that `wanted` says; it may say more, such as defaults and an approval."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            name in found and _within(value, found[name]) for name, value in wanted.items()
        )
    return wanted == found


def _refusal(type_: ResourceType, name: str, error: ApiError) -> Exception:
    """A child's error as what it means: for the object's author, for nobody, or for a later try."""
    match error:
        case Forbidden() if "being terminated" in error.message:
            return Leaving()
        case Forbidden():
            reason = "Forbidden"
        case Invalid():
            reason = "Invalid"
        case ApiError(code=413):
            reason = "Invalid"
        case ApiError(code=500) if "webhook" in error.message:
            reason = "Forbidden"
        case _:
            return error
    metrics.REFUSALS.labels(type_.kind, reason).inc()
    return Refused(reason, f"{type_.kind} {name}: {error.message}")

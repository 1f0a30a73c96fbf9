"""The slim, indexed caches: all that the operator knows of the cluster, and what a change of it concerns.

Whatever the API server says goes in by `observe`, `forget` and `replace`, in any order and as often as it likes:
the newest resourceVersion wins, so the answer to a write of ours can go in at once and the older events that are
still on their way change nothing. Each of the three returns the keys that the news concerns.
"""

import logging
import re
import sys
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar, cast

import yaml
from pydantic import ValidationError

from modelwright.api.v1alpha1 import Resource
from modelwright.config import Config, NamespaceConfig, parse_namespace
from modelwright.kinds import Kind, Subject, Unreadable, explain
from modelwright.live import Live
from modelwright.objects import KubeEvent, KubeObject, Pod, owner_uid
from modelwright.resources import (
    APPS_DEPLOYMENTS,
    CHILDREN,
    CONFIG_MAPS,
    FAILED_MOUNTS,
    JOBS,
    PODS,
    REFUSALS,
    REPLICA_SETS,
    Key,
    ResourceType,
)
from modelwright.slim import slim
from modelwright.view import Cluster, Topic, View

logger = logging.getLogger(__name__)

NAMESPACE_CONFIG_NAME: Final = "modelwright"
_TOMBSTONES = 4096
_FOR_GOOD: Final = sys.maxsize
_ANY_POD: Final = re.compile(r'^Error creating: pods "[^"]*" is ')

Under = TypeVar("Under")
Value = TypeVar("Value")


class Id(NamedTuple):
    """One object of any kind."""

    type: ResourceType
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Cached:
    """One remembered object."""

    obj: KubeObject
    version: int
    owner: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An object of ours: as it came, without noise, and as what it means."""

    obj: KubeObject
    version: int
    subject: Subject | Unreadable


class Cache:
    """Knows objects of our kinds and their children, by name, by UID, by owner and by topic."""

    def __init__(self, kinds: Mapping[str, Kind], config: Config) -> None:
        self._kinds = {kind.type: kind for kind in kinds.values()}
        self._types = {name: kind.type for name, kind in kinds.items()}
        self._config = config
        self._cluster = Cluster()
        self._objects: dict[Id, Cached] = {}
        self._by_uid: dict[str, Id] = {}
        self._by_owner: dict[str, dict[Id, None]] = {}
        self._subjects: dict[Key, Subject | Unreadable] = {}
        self._publishers: dict[Topic, dict[Key, None]] = {}
        self._referrers: dict[Topic, dict[Key, None]] = {}
        self._overrides: dict[str, NamespaceConfig | Unreadable] = {}
        self._buried: OrderedDict[str, int] = OrderedDict()
        self._live: dict[str, Live] = {}

    def observe(self, type_: ResourceType, obj: KubeObject) -> set[Key]:
        """Takes in an object as the API server has it, and returns the keys that it concerns, if it is news.

        One that cannot be made sense of is left out, with a line in the log, and so does not take others with it.
        """
        metadata = obj["metadata"]
        id_, uid = Id(type_, metadata["namespace"], metadata["name"]), metadata["uid"]
        version = int(metadata.get("resourceVersion", "0"))
        known = self._objects.get(id_)
        if version < self._buried.get(uid, 0) or (known is not None and version <= known.version):
            return set()
        try:
            new = Cached(slim(obj), version, owner_uid(obj))
            if known is not None and known.obj == new.obj:
                self._objects[id_] = new
                return set()
            subject = self._read(type_, new.obj)
        except Exception:
            logger.exception("%s %s/%s is left out", type_.kind, id_.namespace, id_.name)
            return set()
        concerned = self._remove(id_) if known is not None else set()
        self._objects[id_] = new
        self._by_uid[uid] = id_
        if new.owner is not None:
            _link(self._by_owner, {new.owner}, id_)
        if subject is not None:
            self._publish(Key(type_.kind, *id_[1:]), subject)
        elif type_ == CONFIG_MAPS and id_.name == NAMESPACE_CONFIG_NAME:
            self._overrides[id_.namespace] = _read_override(new.obj)
        return concerned | self._concerned(id_)

    def forget(self, type_: ResourceType, obj: KubeObject) -> set[Key]:
        """The object is gone as of its resourceVersion: older news of it are no news. Returns whom this concerns.

        Newer news are: an object that lost the label of our selector is told as deleted, and may get it back. Without
        a resourceVersion it is gone for good.
        """
        return self._forget(type_, obj, int(obj["metadata"].get("resourceVersion", _FOR_GOOD)))

    def _forget(self, type_: ResourceType, obj: KubeObject, version: int) -> set[Key]:
        metadata = obj["metadata"]
        id_, uid = Id(type_, metadata["namespace"], metadata["name"]), metadata["uid"]
        known = self._objects.get(id_)
        held = known is not None and known.obj["metadata"]["uid"] == uid
        if held and known is not None and known.version > version:
            return set()
        self._buried[uid] = max(version, self._buried.pop(uid, 0))
        if len(self._buried) > _TOMBSTONES:
            self._buried.popitem(last=False)
        return self._remove(id_) if held else set()

    def replace(
        self, type_: ResourceType, namespace: str | None, objects: Iterable[KubeObject], version: int
    ) -> set[Key]:
        """Takes in a whole list as of `version`: what is not in it, and not newer, is gone."""
        concerned: set[Key] = set()
        listed: set[str] = set()
        for obj in objects:
            listed.add(obj["metadata"]["uid"])
            concerned |= self.observe(type_, obj)
        gone = [
            cached.obj
            for id_, cached in self._objects.items()
            if id_.type == type_
            and namespace in (None, id_.namespace)
            and cached.version <= version
            and cached.obj["metadata"]["uid"] not in listed
        ]
        for obj in gone:
            concerned |= self._forget(type_, obj, version)
        return concerned

    def drop(self, type_: ResourceType) -> set[Key]:
        """The cluster no longer serves this type; where it does again, its objects may be the same as before."""
        concerned: set[Key] = set()
        for id_ in [id_ for id_ in self._objects if id_.type == type_]:
            concerned |= self._remove(id_)
        return concerned

    def learn(self, cluster: Cluster) -> set[Key]:
        """The cluster can do this from now on. Returns whom it concerns: everybody, where it is news."""
        if cluster == self._cluster:
            return set()
        self._cluster = cluster
        return set(self._subjects)

    def hear(self, uid: str, live: Live | None) -> None:
        """The servers of the object with this UID said this; None forgets what they said before."""
        if live is None:
            self._live.pop(uid, None)
        else:
            self._live[uid] = live

    def get(self, key: Key) -> Entry | None:
        """One object of ours."""
        cached = self._objects.get(Id(self._types[key.kind], key.namespace, key.name))
        return None if cached is None else Entry(cached.obj, cached.version, self._subjects[key])

    def child(self, type_: ResourceType, namespace: str, name: str) -> KubeObject | None:
        """One object of any kind, as the reconcilers see it."""
        cached = self._objects.get(Id(type_, namespace, name))
        return None if cached is None else cached.obj

    def subjects(self) -> Mapping[Key, Subject | Unreadable]:
        """All objects of ours with what they mean."""
        return self._subjects

    def configuration(self, namespace: str) -> Config | Unreadable:
        """The configuration in force in a namespace, or why its own part of it can't be read."""
        override = self._overrides.get(namespace)
        return override if isinstance(override, Unreadable) else self._config.for_namespace(override)

    def view(self, subject: Subject, config: Config) -> View:
        """The snapshot that the object's reconciler is to see."""
        namespace = subject.resource.metadata.namespace
        children = self._owned(namespace, subject.resource.metadata.uid, *CHILDREN)
        pods = self._pods(namespace, children)
        refusals = {
            obj["metadata"]["uid"]: _newest(found)
            for obj in (*children, *pods)
            if (found := self._owned(namespace, obj["metadata"]["uid"], REFUSALS, FAILED_MOUNTS))
        }
        return View(
            config=config,
            children=tuple(children),
            pods=pods,
            refusals=refusals,
            related={topic: self._published(topic) for topic in sorted(subject.references)},
            cluster=self._cluster,
            live=self._live.get(subject.resource.metadata.uid),
        )

    def pods(self, subject: Subject) -> tuple[Pod, ...]:
        """Pods of the object that serve, reached by UID as in its view; not those of its Jobs."""
        namespace = subject.resource.metadata.namespace
        return self._pods(namespace, self._owned(namespace, subject.resource.metadata.uid, APPS_DEPLOYMENTS))

    def _pods(self, namespace: str, children: Iterable[KubeObject]) -> tuple[Pod, ...]:
        pods: list[KubeObject] = []
        for child in children:
            holders = [child] if child["kind"] == JOBS.kind else []
            if child["kind"] == APPS_DEPLOYMENTS.kind:
                holders = self._owned(namespace, child["metadata"]["uid"], REPLICA_SETS)
            for holder in holders:
                pods += self._owned(namespace, holder["metadata"]["uid"], PODS)
        return tuple(cast(Pod, pod) for pod in pods)

    def _published(self, topic: Topic) -> tuple[Resource, ...]:
        found = (self._subjects[key] for key in sorted(self._publishers.get(topic, ())))
        return tuple(subject.resource for subject in found if isinstance(subject, Subject))

    def _owned(self, namespace: str, uid: str, *types: ResourceType) -> list[KubeObject]:
        """What belongs to the object with this UID. Nothing belongs to an object of another namespace."""
        linked = self._by_owner.get(uid, ())
        found = sorted((id_ for id_ in linked if id_.type in types and id_.namespace == namespace), key=_order)
        return [self._objects[id_].obj for id_ in found]

    def _read(self, type_: ResourceType, obj: KubeObject) -> Subject | Unreadable | None:
        if type_ not in self._kinds:
            return None
        try:
            return self._kinds[type_].read(obj)
        except Exception as error:  # noqa: BLE001 - what a model cannot read, its object's author is told
            return Unreadable(f"{type(error).__name__}: {error}")

    def _publish(self, key: Key, subject: Subject | Unreadable) -> None:
        self._subjects[key] = subject
        if isinstance(subject, Subject):
            _link(self._publishers, subject.publishes, key)
            _link(self._referrers, subject.references, key)

    def _remove(self, id_: Id) -> set[Key]:
        concerned = self._concerned(id_)
        cached = self._objects.pop(id_)
        self._by_uid.pop(cached.obj["metadata"]["uid"], None)
        if cached.owner is not None:
            _unlink(self._by_owner, {cached.owner}, id_)
        if id_.type in self._kinds:
            key = Key(id_.type.kind, id_.namespace, id_.name)
            subject = self._subjects.pop(key)
            if isinstance(subject, Subject):
                _unlink(self._publishers, subject.publishes, key)
                _unlink(self._referrers, subject.references, key)
        elif id_.type == CONFIG_MAPS and id_.name == NAMESPACE_CONFIG_NAME:
            self._overrides.pop(id_.namespace, None)
        return concerned

    def _concerned(self, id_: Id) -> set[Key]:
        """Whom a change of this object concerns, while it is in the cache."""
        if id_.type == CONFIG_MAPS:
            return {key for key in self._subjects if key.namespace == id_.namespace}
        if id_.type in self._kinds:
            key = Key(id_.type.kind, id_.namespace, id_.name)
            subject = self._subjects[key]
            topics = subject.publishes if isinstance(subject, Subject) else {key}
            return {key}.union(*(self._referrers.get(topic, {}) for topic in topics))
        owner = self._objects[id_].owner
        for _ in range(4):
            above = self._by_uid.get(owner) if owner is not None else None
            if above is None or above.namespace != id_.namespace:
                return set()
            if above.type in self._kinds:
                return {Key(above.type.kind, above.namespace, above.name)}
            owner = self._objects[above].owner
        return set()


def _newest(events: Iterable[KubeObject]) -> str:
    """The newest Event's message without the Pod's name, which is another one in each try."""
    told = [cast(KubeEvent, event) for event in events]
    event = max(told, key=lambda e: (e.get("lastTimestamp") or "", e["metadata"]["name"]))
    return _ANY_POD.sub("", event.get("message", ""))


def _link(index: dict[Under, dict[Value, None]], under: Iterable[Under], value: Value) -> None:
    for one in under:
        index.setdefault(one, {})[value] = None


def _unlink(index: dict[Under, dict[Value, None]], under: Iterable[Under], value: Value) -> None:
    for one in under:
        held = index[one]
        del held[value]
        if not held:
            del index[one]


def _order(id_: Id) -> tuple[str, str]:
    return id_.type.kind, id_.name


def _read_override(obj: KubeObject) -> NamespaceConfig | Unreadable:
    data = cast(dict[str, dict[str, str]], obj).get("data", {})
    try:
        return parse_namespace(data.get("config.yaml", ""))
    except (ValidationError, ValueError, yaml.YAMLError) as error:
        return Unreadable(f"ConfigMap {NAMESPACE_CONFIG_NAME}, key config.yaml: {explain(error)}")

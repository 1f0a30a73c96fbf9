"""The one door from what the API server, and servers, say to what is done about it: into the cache, then the queue."""

import logging
from collections.abc import Iterable

from modelwright.cache import Cache
from modelwright.live import Live
from modelwright.objects import KubeObject
from modelwright.queue import WorkQueue
from modelwright.resources import Key, ResourceType
from modelwright.view import Cluster

logger = logging.getLogger(__name__)


class Intake:
    """Fed by kopf's events, the reflectors, the answers to the engine's own writes, and the reader of live figures."""

    def __init__(self, cache: Cache, queue: WorkQueue[Key]) -> None:
        self._cache = cache
        self._queue = queue

    def seen(self, type_: ResourceType, obj: KubeObject, but: Key | None = None) -> None:
        """The object is as given; that is no news to `but`, who wrote it."""
        self._add(self._cache.observe(type_, obj) - {but})

    def gone(self, type_: ResourceType, obj: KubeObject) -> None:
        """The object is no more."""
        self._add(self._cache.forget(type_, obj))

    def listed(self, type_: ResourceType, namespace: str | None, objects: Iterable[KubeObject], version: str) -> None:
        """These are all objects of the type there are, as of `version`."""
        self._add(self._cache.replace(type_, namespace, objects, int(version)))

    def dropped(self, type_: ResourceType) -> None:
        """The cluster no longer serves this type."""
        self._add(self._cache.drop(type_))

    def learned(self, cluster: Cluster) -> None:
        """The cluster can do this from now on."""
        self._add(self._cache.learn(cluster))

    def heard(self, key: Key, uid: str, live: Live | None, *, news: bool) -> None:
        """The object's servers said this of themselves; whether that is `news` to its reconciler, their reader knows.

        None forgets what they said before.
        """
        self._cache.hear(uid, live)
        if news:
            self._queue.add(key)

    def _add(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._queue.add(key)

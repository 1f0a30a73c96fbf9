"""Every kopf decorator of the project: start-up, the events of our four kinds, and clean-up. It decides nothing.

kopf may write nothing on anybody's objects: its storages do nothing, it posts no Events, and `on.event` alone adds no
finalizer. `@kopf.index` is quadratic at start-up, so the caches are ours.
"""

from collections.abc import Callable, Iterable
from typing import cast

import kopf
from typing_extensions import override

from modelwright.house import House
from modelwright.objects import KubeObject
from modelwright.resources import ResourceType


class NoDiffBase(kopf.DiffBaseStorage):
    """Remembers nothing on the object, and so spares a copy and a comparison for each event."""

    @override
    def build(self, *, body: kopf.Body, extra_fields: Iterable[kopf.FieldSpec] | None = None) -> kopf.BodyEssence:
        """Nothing is essential."""
        return cast(kopf.BodyEssence, {})

    @override
    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Nothing was stored."""
        return None

    @override
    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Stores nothing."""


class NoProgress(kopf.ProgressStorage):
    """No handler of ours has progress."""

    @override
    def fetch(self, *, key: kopf.HandlerId, body: kopf.Body) -> kopf.ProgressRecord | None:
        """Nothing was stored."""
        return None

    @override
    def store(self, *, key: kopf.HandlerId, record: kopf.ProgressRecord, body: kopf.Body, patch: kopf.Patch) -> None:
        """Stores nothing."""

    @override
    def purge(self, *, key: kopf.HandlerId, body: kopf.Body, patch: kopf.Patch) -> None:
        """There is nothing to purge."""

    @override
    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        """Touches nothing."""

    @override
    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """There is nothing to clear."""
        return essence


def configure(settings: kopf.OperatorSettings) -> None:
    """kopf as a guest in this house."""
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.watching.server_timeout = 600
    settings.watching.client_timeout = 660
    settings.watching.connect_timeout = 10
    settings.watching.inactivity_timeout = 120
    settings.networking.request_timeout = 60
    settings.queueing.worker_limit = 64
    # A worker that waits for its object's next event is one that no other object can have.
    settings.queueing.idle_timeout = 0.1
    settings.process.ultimate_exiting_timeout = 60


def registry(house: House, stopping: Callable[[], None]) -> kopf.OperatorRegistry:
    """kopf's handlers, bound to this house; a registry of our own leaves kopf's global one alone.

    kopf takes the process' signals for itself, so `stopping` is called when it has begun to stop.
    """
    handlers = kopf.OperatorRegistry()
    kopf.on.login(registry=handlers)(kopf.login_via_client)

    @kopf.on.startup(registry=handlers)
    async def start(settings: kopf.OperatorSettings, **_: object) -> None:
        configure(settings)
        await house.start()

    @kopf.on.cleanup(registry=handlers)
    async def stop(**_: object) -> None:
        stopping()
        await house.stop()

    for kind in house.kinds.values():
        _watch(house, kind.type, handlers)
    return handlers


def _watch(house: House, type_: ResourceType, handlers: kopf.OperatorRegistry) -> None:
    @kopf.on.event(type_.group, type_.version, type_.plural, registry=handlers)
    async def told(event: kopf.RawEvent, **_: object) -> None:
        obj = cast(KubeObject, event["object"])
        if event["type"] == "DELETED":
            house.gone(type_, obj)
        else:
            house.seen(type_, obj)

"""What the operator learns of a cluster: kinds that come and go, and what its version brings."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from modelwright.api.v1alpha1 import Deployment
from modelwright.cache import Cache
from modelwright.config import Config
from modelwright.discovery import Discovery
from modelwright.intake import Intake
from modelwright.kinds import Subject, kind
from modelwright.kube import ApiError, Forbidden, KubeClient, NotFound, Page, Unreachable, WatchEvent
from modelwright.objects import KubeObject
from modelwright.plan import Plan
from modelwright.queue import Done, Outcome, WorkQueue
from modelwright.resources import HTTP_ROUTES, OPTIONAL, Key, ResourceType
from modelwright.view import Cluster, View
from pure.cluster_objects import deployment, obj

ME = Key("Deployment", "n", "d")


class ApiServer:
    """Serves what a test says, lists one object of each such kind, and keeps its watches silent."""

    def __init__(self) -> None:
        self.minor = 36
        self.served: set[ResourceType] = set()
        self.listing: ApiError | None = None
        self.away = 0
        self.answered = asyncio.Event()
        self.watches: list[str] = []

    async def minor_version(self) -> int:
        if self.away:
            self.away -= 1
            raise Unreachable(0, "Unreachable", "away")
        self.answered.set()
        return self.minor

    async def is_discovered(self, type_: ResourceType) -> bool:
        return type_ in self.served

    async def page(self, type_: ResourceType, _: str | None, __: str = "") -> Page:
        if self.listing is not None:
            raise self.listing
        return Page([obj(type_.kind, "d", type_.api_version, owner=deployment("d", "m"), version=1)], "1", "")

    async def watch(self, type_: ResourceType, _: str | None, __: str) -> AsyncIterator[WatchEvent]:
        self.watches.append(type_.kind)
        try:
            await asyncio.sleep(3600)
            yield WatchEvent("BOOKMARK", cast(KubeObject, {}))
        finally:
            self.watches.remove(type_.kind)


class Operator:
    """Discovery with a cache and a queue that remembers who was woken."""

    def __init__(self) -> None:
        found = kind(Deployment, lambda _: frozenset(), lambda *_: Plan({}))
        self.kinds = {found.type.kind: found}
        self.server = ApiServer()
        self.cache = Cache(self.kinds, Config())
        self.woken: list[Key] = []
        self.queue: WorkQueue[Key] = WorkQueue(self._pass)
        self.intake = Intake(self.cache, self.queue)
        self.cache.observe(found.type, deployment("d", "m"))
        self.discovery = Discovery(cast(KubeClient, self.server), self.intake, (None,), again_s=0.01)

    async def _pass(self, key: Key) -> Outcome:
        self.woken.append(key)
        return Done()

    def view(self) -> View:
        """What the Deployment's reconciler sees."""
        subject = next(iter(self.cache.subjects().values()))
        assert isinstance(subject, Subject)
        return self.cache.view(subject, Config())


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    found = Operator()
    yield found
    await found.discovery.stop()
    assert found.server.watches == []


@pytest.mark.parametrize(("minor", "can"), [(31, False), (35, False), (36, True), (40, True), (0, False)])
async def test_image_volumes_come_with_a_version(operator: Operator, minor: int, can: bool) -> None:
    operator.server.minor = minor
    await operator.discovery.fill()
    assert operator.view().cluster == Cluster(frozenset(), image_volumes=can)


async def test_a_kind_is_watched_from_when_it_is_served_until_it_no_longer_is(operator: Operator) -> None:
    await operator.discovery.fill()
    assert operator.view().cluster.kinds == frozenset()
    operator.server.served = set(OPTIONAL)
    await operator.discovery.look()
    await asyncio.sleep(0)
    assert operator.view().cluster.kinds == {"HTTPRoute", "PodMonitor"}
    assert {child["kind"] for child in operator.view().children} == {"HTTPRoute", "PodMonitor"}
    await asyncio.sleep(0.01)
    assert sorted(operator.server.watches) == ["HTTPRoute", "PodMonitor"]
    operator.server.served = set()
    await operator.discovery.look()
    assert operator.view() == View(Config(), cluster=Cluster(image_volumes=True))
    assert operator.server.watches == []
    operator.server.served = {HTTP_ROUTES}
    await operator.discovery.look()
    assert [child["kind"] for child in operator.view().children] == ["HTTPRoute"], "the same object as before"


async def test_everybody_is_woken_by_what_is_new_and_by_nothing_else(operator: Operator) -> None:
    operator.queue.start()
    await operator.discovery.fill()
    await asyncio.sleep(0.02)
    operator.woken.clear()
    await operator.discovery.look()
    await asyncio.sleep(0.02)
    assert operator.woken == []
    operator.server.served = {HTTP_ROUTES}
    await operator.discovery.look()
    await asyncio.sleep(0.02)
    assert set(operator.woken) == {ME}
    await operator.queue.stop()


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Forbidden(403, "Forbidden", "may not list"), id="without the right to list it"),
        pytest.param(NotFound(404, "NotFound", "gone"), id="gone again"),
    ],
)
async def test_a_kind_that_cannot_be_listed_is_as_one_that_is_not_there(operator: Operator, error: ApiError) -> None:
    operator.server.served, operator.server.listing = set(OPTIONAL), error
    await operator.discovery.fill()
    assert operator.view().cluster.kinds == frozenset()
    operator.server.listing = None
    await operator.discovery.look()
    assert operator.view().cluster.kinds == {"HTTPRoute", "PodMonitor"}


async def test_an_api_server_that_is_away_takes_nothing_back(operator: Operator) -> None:
    operator.server.served, operator.server.away = set(OPTIONAL), 1
    await operator.discovery.fill()
    known = operator.view().cluster
    assert known.kinds == {"HTTPRoute", "PodMonitor"}
    operator.server.away = 1
    with pytest.raises(Unreachable):
        await operator.discovery.look()
    assert operator.view().cluster == known


async def test_it_looks_again_and_again_whatever_happens(operator: Operator) -> None:
    await operator.discovery.fill()
    operator.server.away = 2
    operator.server.answered.clear()
    running = asyncio.create_task(operator.discovery.run())
    async with asyncio.timeout(5):
        await operator.server.answered.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

"""What keeps the operator awake, and what makes it stop: its background tasks and its Lease."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from modelwright.access import Access
from modelwright.config import Config
from modelwright.house import House
from modelwright.kinds import all_kinds
from modelwright.kube import KubeClient, Unreachable
from modelwright.lease import Lease
from modelwright.objects import KubeObject
from modelwright.plan import JsonObject
from modelwright.resources import ResourceType
from modelwright.settings import parse


async def nothing_there(request: web.Request) -> web.StreamResponse:
    """An API server of an empty cluster, whose watches are silent."""
    if "watch" in request.query:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(3600)
    kinds = [{"name": kind.type.plural} for kind in all_kinds().values()]
    return web.json_response({"metadata": {"resourceVersion": "1"}, "items": [], "resources": kinds})


@pytest.fixture
async def house() -> AsyncIterator[House]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", nothing_there)
    async with TestServer(app) as server:
        access = Access(str(server.make_url("")).rstrip("/"), True, lambda: None)
        async with KubeClient(access) as kube:
            found = House(kube, all_kinds(), Config(), parse(["--config", str(Path("x.yaml"))], {}))
            yield found
            await found.stop()


async def test_an_operator_with_a_watch_that_has_ended_is_not_alive(house: House) -> None:
    assert house.alive()
    assert not house.ready()
    await house.start()
    assert house.alive()
    assert house.ready()
    house._tasks[0].cancel()
    await asyncio.wait(house._tasks[:1])
    assert not house.alive()


class Kept:
    """An API server that gives the Lease, and then fails or hangs whenever it shall be renewed."""

    def __init__(self, hangs: bool) -> None:
        self._hangs = hangs

    async def get(self, _: ResourceType, __: str, ___: str) -> KubeObject:
        raise Unreachable(0, "Unreachable", "away")

    async def replace(self, _: ResourceType, __: str, ___: str, manifest: JsonObject) -> KubeObject:
        if self._hangs:
            await asyncio.sleep(3600)
        raise Unreachable(0, "Unreachable", "away")


@pytest.mark.parametrize("hangs", [True, False])
async def test_a_leader_that_cannot_renew_gives_up_in_time(hangs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RENEW_S", 0.1), ("_AGAIN_S", 0.05), ("_GIVE_UP_S", 0.5)):
        monkeypatch.setattr(f"modelwright.lease.{name}", value)
    lease = Lease(cast(KubeClient, Kept(hangs)), "n", "one")
    loop, lost = asyncio.get_running_loop(), asyncio.Event()
    metadata = {"name": "x", "namespace": "n", "uid": "u", "resourceVersion": "1"}
    lease._seen = cast(KubeObject, {"metadata": metadata, "spec": {"holderIdentity": "one"}})
    lease._renewed_at = began = loop.time()
    async with asyncio.timeout(5):
        await lease.keep(lost.set)
    assert lost.is_set()
    assert 0.4 < loop.time() - began < 0.9

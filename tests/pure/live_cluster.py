"""A cache with Deployments and their Pods, real HTTP servers behind the Pods, and a reader among them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count

from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from modelwright.api.v1alpha1 import Deployment
from modelwright.cache import Cache
from modelwright.config import Config
from modelwright.intake import Intake
from modelwright.kinds import Subject, kind
from modelwright.live import Live
from modelwright.live_reader import LiveReader, ReadingPace
from modelwright.plan import JsonObject, Plan
from modelwright.queue import Done, Outcome, WorkQueue
from modelwright.resources import APPS_DEPLOYMENTS, PODS, REPLICA_SETS, Key
from pure.cluster_objects import obj, pod

KIND = kind(Deployment, lambda _: frozenset(), lambda _, __, ___: Plan({}))


class Cluster:
    """A cache with Deployments and their Pods, and a server behind each Pod's address, all on one port."""

    def __init__(self) -> None:
        self.cache = Cache({"Deployment": KIND}, Config())
        self.woken: list[Key] = []
        self.queue: WorkQueue[Key] = WorkQueue(self._pass)
        self.intake = Intake(self.cache, self.queue)
        self.port = unused_port()
        self.says: dict[str, JsonObject] = {}
        self.asked: list[str] = []
        self.profile: bytes | None = None
        self.now = datetime(2026, 5, 1, 12, tzinfo=UTC)
        self.at_once = self.most_at_once = 0
        self.holds: asyncio.Event | None = None
        self._servers: dict[str, TestServer] = {}

    async def _pass(self, key: Key) -> Outcome:
        self.woken.append(key)
        return Done()

    def serve(self, name: str = "d", rollout: JsonObject | None = None, **spec: object) -> None:
        """A Deployment of ours, stable's and the canary's."""
        status = {"rollout": rollout} if rollout is not None else {}
        made = obj("Deployment", name, body={"spec": {"model": {"name": "m"}, **spec}}, status=status)
        self.intake.seen(KIND.type, made)
        for step, suffix in (("serve", ""), ("canary", "-canary")):
            child = obj("Deployment", name + suffix, "apps/v1", made)
            self.intake.seen(APPS_DEPLOYMENTS, child)
            self.intake.seen(REPLICA_SETS, obj("ReplicaSet", f"{name}-{step}", "apps/v1", child))

    async def pod(
        self, address: str, told: JsonObject, of: str = "d", step: str = "serve", *, ready: bool = True, **more: object
    ) -> None:
        """A Pod, and what its server says; `more` is of its metadata."""
        self.says[address] = told
        await self._listen(address)
        self.put(address, of, step, ready=ready, **more)

    def put(self, address: str, of: str = "d", step: str = "serve", *, ready: bool = True, **more: object) -> None:
        """A Pod as the API server has it."""
        condition = {"type": "Ready", "status": "True" if ready else "False"}
        status = {"podIP": address, "conditions": [condition]}
        metadata = {"labels": {"modelwright.dev/step": step}, **more}
        holder = obj("ReplicaSet", f"{of}-{step}", "apps/v1")
        self.intake.seen(PODS, pod(f"{of}-{address}", holder, status=status, metadata=metadata))

    def lose(self, address: str, of: str = "d") -> None:
        """The Pod is gone."""
        self.intake.gone(PODS, obj("Pod", f"{of}-{address}", "v1", version=2**40))

    async def _listen(self, address: str) -> None:
        if address not in self._servers:
            app = web.Application()
            app.router.add_get("/live", self._answer)
            app.router.add_get("/profile", self._tell_profile)
            self._servers[address] = TestServer(app, host=address, port=self.port)
            await self._servers[address].start_server()

    async def _answer(self, request: web.Request) -> web.Response:
        assert request.url.host is not None
        self.asked.append(request.url.host)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.holds is not None:
                await self.holds.wait()
            return web.json_response(self.says[request.url.host])
        finally:
            self.at_once -= 1

    async def _tell_profile(self, _: web.Request) -> web.Response:
        return web.Response(body=self.profile) if self.profile is not None else web.Response(status=404)

    def live(self, name: str = "d") -> Live | None:
        """What the reconciler would see."""
        entry = self.cache.get(Key("Deployment", "n", name))
        if entry is None:
            return None
        assert isinstance(entry.subject, Subject)
        return self.cache.view(entry.subject, Config()).live

    async def close(self) -> None:
        if self.holds is not None:
            self.holds.set()
        await self.queue.stop()
        for server in self._servers.values():
            await server.close()


@asynccontextmanager
async def reading(cluster: Cluster, calm_s: float = 0.05, hurried_s: float = 0.05) -> AsyncIterator[LiveReader]:
    reader = LiveReader(
        cluster.cache, cluster.intake, ReadingPace(calm_s, hurried_s, 0.01), cluster.port, lambda: cluster.now
    )
    task = asyncio.create_task(reader.run())
    try:
        yield reader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        for _ in count():
            if holds():
                return
            await asyncio.sleep(0.01)

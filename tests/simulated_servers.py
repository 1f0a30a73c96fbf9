"""Model servers without a node: each Ready server's Pod answers GET /live at an address of its own on this machine.

Users ask them at a constant rate; what is forwarded to a canary is counted as the servers themselves do.
"""

import itertools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

from aiohttp import web

from modelwright.children.endpoints import MANAGEMENT_PORT
from modelwright.children.role import STABLE
from modelwright.kube import KubeClient, NotFound
from modelwright.names import NAME_LABEL, STEP_LABEL
from modelwright.resources import ROUTINGS

JsonObject = dict[str, Any]

RATE_PER_S = 500.0
BOUNDS_S = (0.001, 0.01, 0.1)
QUICK = 1
"""The bucket of every answer: up to 10 ms."""

Rate = Callable[[str], float]
"""The share of requests that a version fails, by its name."""


@dataclass
class _Server:
    """One server: the routing that it applies, since when."""

    namespace: str
    deployment: str
    version: str
    generation: int = 0
    canary: Mapping[str, object] | None = None
    since: float = 0.0


class SimulatedServers:
    """`failing` says how often each version fails. Servers apply a routing as soon as they are asked."""

    def __init__(self, kube: KubeClient, failing: Rate) -> None:
        self._kube = kube
        self._failing = failing
        self._runners: dict[str, web.AppRunner] = {}
        self._numbers = itertools.count(1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for runner in self._runners.values():
            await runner.cleanup()

    async def start(self, pod: JsonObject) -> str:
        """A server for a Pod; its IP address."""
        metadata, number = pod["metadata"], next(self._numbers)
        labels, address = metadata["labels"], f"127.82.{number // 250}.{number % 250 + 1}"
        (version,) = [
            variable["value"]
            for variable in pod["spec"]["containers"][0]["env"]
            if variable["name"] == "MODELWRIGHT_MODEL_VERSION"
        ]
        server = _Server(metadata["namespace"], labels[NAME_LABEL], version)
        stable = labels[STEP_LABEL] == STABLE.step

        async def live(_: web.Request) -> web.Response:
            if stable:
                await self._apply(server)
            return web.json_response(self._document(server))

        application = web.Application()
        application.router.add_get("/live", live)
        runner = self._runners[metadata["uid"]] = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, address, MANAGEMENT_PORT).start()
        return address

    async def _apply(self, server: _Server) -> None:
        """As the kubelet brings it."""
        try:
            found = cast(JsonObject, await self._kube.get(ROUTINGS, server.namespace, f"{server.deployment}-routing"))
        except NotFound:
            return
        told = json.loads(found["data"]["routing.json"])
        if told["generation"] != server.generation:
            server.generation, server.canary, server.since = told["generation"], told.get("canary"), time.monotonic()

    def _document(self, server: _Server) -> JsonObject:
        """What the server says of itself; users have asked it for ever."""
        window = {"id": int(time.monotonic()), "seconds": 1.0, "requests": int(RATE_PER_S), "errors": 0}
        routing: JsonObject = {"generation": server.generation, "newest": server.generation}
        if server.canary is not None:
            requests = RATE_PER_S * (time.monotonic() - server.since)
            weight, version = float(str(server.canary["weight"])), str(server.canary["version"])
            forwarded = int(requests * weight)
            errors = int(forwarded * self._failing(version))
            routing["canary"] = {"requests": forwarded, "errors": errors, "slow": 0}
            routing["stable"] = {"requests": int(requests) - forwarded, "errors": 0, "slow": 0}
        return {
            "model_version": server.version,
            "open_window": window["id"] + 1,
            "latency_bounds_seconds": list(BOUNDS_S),
            "windows": [{**window, "latency": [[QUICK, int(RATE_PER_S)]]}],
            "routing": routing,
        }

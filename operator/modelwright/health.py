"""The operator's one small HTTP server: /metrics, /healthz (does it move?) and /readyz (does it work?)."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from modelwright import metrics

_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class HealthServer:
    """`alive` and `ready` are asked at each probe."""

    def __init__(self, port: int, alive: Callable[[], bool], ready: Callable[[], bool]) -> None:
        self._port = port
        self._alive = alive
        self._ready = ready
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listens on all addresses; raises OSError where the port is taken."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        self._runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, port=self._port).start()

    async def stop(self) -> None:
        """Stops listening and ends kept connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={"Content-Type": _CONTENT_TYPE})

    async def _healthz(self, _: web.Request) -> web.Response:
        return _answer(self._alive(), "the work queue or a watch does not move")

    async def _readyz(self, _: web.Request) -> web.Response:
        return _answer(self._ready(), "the caches are not full yet")


def _answer(good: bool, otherwise: str) -> web.Response:
    return web.Response(text="ok\n") if good else web.Response(text=otherwise + "\n", status=503)

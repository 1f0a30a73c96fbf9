"""The life of the serving process: listen, load, warm up, serve, drain, end."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from time import perf_counter

from modelwright_server.app import App
from modelwright_server.endpoint import Endpoint
from modelwright_server.http_server import HttpServer
from modelwright_server.logs import fields
from modelwright_server.settings import Settings
from modelwright_server.worker_thread import WorkerThread

LOGGER = logging.getLogger(__name__)
_POLL_S = 0.02


async def serve(settings: Settings, started_s: float) -> str | None:
    """Serve until SIGTERM or SIGINT; returns None, or the sentence that says why the model can't be served.

    The model is loaded on the worker thread while health is already answered. `started_s` is the process's start on
    `time.perf_counter()`'s clock, for the log.
    """
    loop = asyncio.get_running_loop()
    worker = WorkerThread(loop, settings.queue_jobs)
    app = App(worker, settings.model_name or "", settings.model_version or "")
    server = HttpServer(app, settings.http)
    stop: asyncio.Future[str | None] = loop.create_future()
    _stop_on_signals(loop, stop)
    port = await server.listen(settings.host, settings.port)
    LOGGER.info("listening", extra=fields(port=port))

    def loaded(outcome: Endpoint | str) -> None:
        if isinstance(outcome, str):
            if not stop.done():
                stop.set_result(outcome)
            return
        app.serve(outcome)
        gc.enable()
        gc.freeze()
        seconds = round(perf_counter() - started_s, 3)
        LOGGER.info("ready", extra=fields(model=outcome.name, version=outcome.version, seconds=seconds))

    worker.submit(lambda: _load(settings), loaded)
    unusable = await stop
    if unusable is None and app.ready:
        await _drain(app, server, settings)
    server.stop_listening()
    LOGGER.info("stopped", extra=fields(in_flight=app.metrics.in_flight))
    return unusable


def _load(settings: Settings) -> Endpoint | str:
    # Imported here, on the worker thread: NumPy and scikit-learn take most of the time to readiness.
    from modelwright_server.loading import load_or_say_why

    return load_or_say_why(settings)


def _stop_on_signals(loop: asyncio.AbstractEventLoop, stop: asyncio.Future[str | None]) -> None:
    def begin() -> None:
        if not stop.done():
            stop.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, begin)


async def _drain(app: App, server: HttpServer, settings: Settings) -> None:
    """Not ready at once, but answering: a Service sends requests for a while after it was told of the Pod's end."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.grace_s
    LOGGER.info("draining", extra=fields(in_flight=app.metrics.in_flight, seconds=settings.drain_s))
    app.draining = True
    server.drain()
    await asyncio.sleep(settings.drain_s)
    server.stop_listening()
    while server.connections and loop.time() < deadline:
        await asyncio.sleep(_POLL_S)
        server.stop_listening()

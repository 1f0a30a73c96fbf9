"""A worker process: serves the loaded model on its socket from its first breath until it has drained."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import uvloop

from modelwright_server.access_log import AccessLog
from modelwright_server.app import App
from modelwright_server.batcher import BatchLimits
from modelwright_server.board import Board, Field, Slot
from modelwright_server.counters import Counters, NoCounters
from modelwright_server.cpus import use_threads
from modelwright_server.endpoint import Endpoint
from modelwright_server.feature_counts import FeatureCounts
from modelwright_server.forwarding import Forwarding
from modelwright_server.grpc_server import GrpcServer
from modelwright_server.http_message import version_field
from modelwright_server.http_server import HttpServer
from modelwright_server.logs import fields
from modelwright_server.routing_counts import RoutingCounts
from modelwright_server.routing_file import RoutingFile
from modelwright_server.routing_follower import RoutingFollower
from modelwright_server.settings import Settings
from modelwright_server.sockets import Place
from modelwright_server.tls import Certificate, CertificateUnusable
from modelwright_server.tokens import Tokens, TokensUnusable

LOGGER = logging.getLogger(__name__)

YOUNG_OBJECTS = 10_000
"""So many objects are made before the collector looks for cycles: more than in a batch of requests, which has none."""

REFRESH_S = 1.0
"""How often the certificate and the tokens are looked at."""

SETTLE_S = 0.2
"""Between the last connection that is taken and the first that is closed because it is idle."""

_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Service:
    """What all worker processes share: made by the supervisor before it forks them. `threads` is of each process."""

    settings: Settings
    board: Board
    endpoint: Endpoint
    certificate: Certificate | None
    tokens: Tokens | None
    threads: int


def work(service: Service, slot: Slot, place: Place) -> None:
    """Serve at `place`, counting in `slot`, until SIGTERM and the drain that follows it."""
    slot.set(Field.PID, os.getpid())
    use_threads(os.environ, service.threads)
    service.endpoint.settle_in_thread()
    gc.set_threshold(YOUNG_OBJECTS)
    gc.enable()
    uvloop.run(_serve(service, slot, place))


async def _serve(service: Service, slot: Slot, place: Place) -> None:
    settings = service.settings
    loop = asyncio.get_running_loop()
    told_to_end = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told_to_end.set)
    app = App(
        loop,
        service.endpoint,
        (Counters if settings.counters else NoCounters)(slot, settings.window_s),
        AccessLog(settings.access_log_sample),
        BatchLimits(settings.batch_rows, settings.batch_delay_s, settings.queue_requests, settings.queue_s),
        service.tokens,
    )
    if service.endpoint.profile is not None and settings.counters:
        cells = service.board.features.slot(service.board.slots.index(slot))
        app.batcher.observed_by(FeatureCounts(service.endpoint.profile, cells).answered)
    http = HttpServer(app, settings.http, version_field(service.endpoint.version))
    certificate = service.certificate
    # Before the first connection: this process may have been forked long after the supervisor read them.
    _keep_fresh(loop, service)
    if settings.routing_dir is not None:
        tls = None if certificate is None else certificate.client_context
        counts = RoutingCounts(slot)
        forwarding = Forwarding(loop, service.endpoint, app.batcher, app.reader, counts, tls)
        RoutingFollower(loop, RoutingFile(settings.routing_dir), app, forwarding).follow()
    await http.listen(place.http, None if certificate is None else certificate.context("http/1.1"))
    servers: list[HttpServer | GrpcServer] = [http]
    if place.grpc is not None:
        grpc = GrpcServer(app, settings.http, room=http)
        await grpc.listen(place.grpc, None if certificate is None else certificate.context("h2"))
        servers.append(grpc)
    slot.set(Field.READY, 1.0)
    await told_to_end.wait()
    slot.set(Field.READY, 0.0)
    app.draining = True
    await _drain(servers, settings, relieved=not service.board.draining)


def _keep_fresh(loop: asyncio.AbstractEventLoop, service: Service) -> None:
    refreshes: list[Callable[[], object]] = [part.refresh for part in (service.certificate, service.tokens) if part]

    told: dict[Callable[[], object], str | None] = {}

    def again() -> None:
        loop.call_later(REFRESH_S, again)
        for refresh in refreshes:
            problem = _problem_of(refresh)
            if problem is not None and problem != told.get(refresh):
                LOGGER.error("kept what was there before", extra=fields(reason=problem))
            told[refresh] = problem

    if refreshes:
        again()


def _problem_of(refresh: Callable[[], object]) -> str | None:
    try:
        refresh()
    except (CertificateUnusable, TokensUnusable) as problem:
        return str(problem)
    return None


async def _drain(servers: Sequence[HttpServer | GrpcServer], settings: Settings, *, relieved: bool) -> None:
    """Not ready at once, but answering: a Service sends requests for a while after it was told of the Pod's end.

    A process that is `relieved` leaves new connections to the one that relieves it, on the same sockets.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.grace_s
    for server in servers:
        server.drain()
        if relieved:
            server.stop_accepting()
    await asyncio.sleep(settings.drain_s)
    for server in servers:
        server.stop_accepting()
    # The last ones to come have a request on its way.
    await asyncio.sleep(SETTLE_S)
    while any(server.connections for server in servers) and loop.time() < deadline:
        for server in servers:
            server.stop_listening()
        await asyncio.sleep(_POLL_S)

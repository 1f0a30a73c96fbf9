"""The management process: health, metrics and live figures of the whole Pod on a port of their own, in plain HTTP.

It reads the board and nothing else, and has neither the model nor NumPy: it answers while the model is being loaded,
and whatever the worker processes do.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic

import orjson
import uvloop

from modelwright_server.board import Board, Field, Slot
from modelwright_server.http_message import Request, Response, error
from modelwright_server.http_server import HttpServer
from modelwright_server.live import live_document
from modelwright_server.metrics import CONTENT_TYPE, exposition
from modelwright_server.pod_figures import PodFigures
from modelwright_server.settings import HttpLimits, Settings

LIMITS = HttpLimits(body_bytes=1024, head_bytes=16 * 1024, buffer_bytes=1024 * 1024)


def manage(settings: Settings, board: Board, slot: Slot, listening: socket.socket) -> None:
    """Answer on `listening` until the process is killed; signs of life go into `slot`, which is not of `board`."""
    # One that takes another's place is forked when the model is loaded, for which the collector was switched off.
    gc.enable()
    # The supervisor ends this process last: the Pod's figures are asked for while it drains.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    slot.set(Field.PID, os.getpid())
    uvloop.run(_serve(Management(settings, board, slot), listening))


async def _serve(application: Management, listening: socket.socket) -> None:
    await HttpServer(application, LIMITS).listen(listening)
    await asyncio.get_running_loop().create_future()


class Management:
    """Implements `http_server.Application`."""

    def __init__(self, settings: Settings, board: Board, slot: Slot) -> None:
        self._board = board
        self._slot = slot
        self._model = settings.model_name
        self._version = settings.model_version or ""
        self._hang_s = settings.hang_s
        self._routes: dict[str, Callable[[], Response]] = {
            "/v2/health/live": lambda: Response(200, b'{"live":true}'),
            "/v2/health/ready": self._ready,
            "/metrics": lambda: Response(200, exposition(self._figures(), self._model, self._version), CONTENT_TYPE),
            "/live": self._live,
            "/profile": self._profile,
        }

    def handle(self, request: Request, reply: Callable[[Response], None]) -> None:
        """Answer one of the routes."""
        answer = self._routes.get(request.path)
        if answer is None:
            reply(error(404, f"nothing is served at {request.path[:256]}; this port has {', '.join(self._routes)}"))
        elif request.method not in ("GET", "HEAD"):
            sentence = f"{request.method} is not answered at {request.path}; use GET, HEAD"
            reply(error(405, sentence, ((b"allow", b"GET, HEAD"),)))
        else:
            reply(answer())

    def refused(self, response: Response) -> None:
        """Nothing is counted here."""

    def tick(self, connections: int, body_bytes: int) -> None:
        """Sign of life."""
        self._slot.set(Field.CONNECTIONS, connections)
        self._slot.set(Field.BODY_BYTES, body_bytes)
        self._slot.set(Field.HEARTBEAT_AT, monotonic())

    def _ready(self) -> Response:
        pod = self._figures()
        if pod.ready:
            return Response(200, b'{"ready":true}')
        if pod.draining:
            reason = "the server is shutting down"
        elif pod.processes:
            reason = "no worker process answers"
        else:
            reason = "the model is being loaded"
        return Response(503, orjson.dumps({"ready": False, "error": reason}))

    def _live(self) -> Response:
        now = monotonic()
        wall = datetime.now(UTC)
        return Response(200, live_document(self._figures(), self._model, self._version, now, wall))

    def _profile(self) -> Response:
        document = self._board.features.document()
        return error(404, "there is no training profile") if document is None else Response(200, document)

    def _figures(self) -> PodFigures:
        return PodFigures(self._board, self._hang_s, monotonic())

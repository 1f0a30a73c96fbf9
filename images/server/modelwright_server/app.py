"""Which route answers, in one worker process: health, the model's documents, and its predictions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Protocol

import orjson

from modelwright_server import __version__
from modelwright_server.access_log import AccessLog
from modelwright_server.batcher import Batcher, BatchLimits, model_failure
from modelwright_server.board import Field
from modelwright_server.counters import Counters
from modelwright_server.endpoint import Endpoint
from modelwright_server.http_message import RETRY_SOON, VERSION, Request, Response, error
from modelwright_server.problems import Problem
from modelwright_server.work import Work
from modelwright_server.worker_thread import WorkerThread

LOGGER = logging.getLogger(__name__)

INLINE_BODY_BYTES = 64 * 1024
"""A longer body is read on a thread."""

EXTENSIONS = ("binary_tensor_data",)

Reply = Callable[[Response], None]
Decoder = Callable[[Request], Work[Response]]


class Guard(Protocol):
    """Who may ask."""

    def admits(self, authorization: bytes | None) -> bool:
        """Whether a request with this Authorization field may be answered."""


class Forwarder(Protocol):
    """Who decides between the canary and this server's own model."""

    def predict(self, work: Work[Response], call: _Call) -> None:
        """Have a request answered that was read."""


class App:
    """The application of one worker process. Everything here runs on the event loop's thread but decoders."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        endpoint: Endpoint,
        counters: Counters,
        access_log: AccessLog,
        limits: BatchLimits,
        guard: Guard | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.counters = counters
        self.draining = False
        self.in_flight = 0
        self.forwarder: Forwarder | None = None
        self._access_log = access_log
        self._limits = limits
        self._guard = guard
        # Two threads: bodies that wait to be read must hold up no prediction.
        self.reader = WorkerThread(loop)
        self.batcher = Batcher(loop, endpoint, WorkerThread(loop, endpoint.settle_in_thread), counters, limits)
        self._documents: dict[str, Callable[[], Response]] = {
            "/v2": partial(Response, 200, orjson.dumps(_SERVER)),
            "/v2/health/live": lambda: Response(200, b'{"live":true}'),
            "/v2/health/ready": self._health_ready,
        }
        self._documents |= {path: partial(_same, document) for path, document in endpoint.documents().items()}
        self._routes = {"/v2/health/live": "health", "/v2/health/ready": "health"}
        self._routes |= dict.fromkeys(self._documents.keys() - self._routes.keys(), "metadata")
        self._decoders: dict[str, tuple[Decoder, str]] = {
            path: (decoder, endpoint.route_of(path)) for path, decoder in endpoint.decoders().items()
        }

    @property
    def ready(self) -> bool:
        """False once the drain began."""
        return not self.draining

    def refused(self, response: Response) -> None:
        """Count a request that could not be read."""
        self.counters.request("unread", response.status)

    def tick(self, connections: int, body_bytes: int) -> None:
        """Write the figures that are of this moment."""
        counters = self.counters
        self.batcher.refuse_late()
        counters.set(Field.CONNECTIONS, connections)
        counters.set(Field.BODY_BYTES, body_bytes)
        counters.set(Field.IN_FLIGHT, self.in_flight)
        counters.set(Field.QUEUED, self.batcher.waiting)
        counters.set(Field.LOG_DROPPED, self._access_log.dropped)
        counters.tick()

    def handle(self, request: Request, reply: Reply) -> None:
        """Answer `request` by calling `reply` once, now or when its prediction is done."""
        found = self._decoders.get(request.head.path)
        if found is None or request.head.method != "POST":
            self._answer_document(request, reply, is_prediction=found is not None)
            return
        decoder, route = found
        self.predict(request, decoder, route, reply, inline=len(request.body) <= INLINE_BODY_BYTES)

    def admits(self, authorization: bytes | None) -> bool:
        """Whether a request with this Authorization field may be answered."""
        return self._guard is None or self._guard.admits(authorization)

    def predict(self, request: Request, decoder: Decoder, route: str, reply: Reply, *, inline: bool) -> None:
        """Have `request` read and predicted, and call `reply` once; read here when `inline`, else on the thread."""
        self.in_flight += 1
        call = _Call(self, request, reply, route)
        if not self.admits(request.head.headers.get(b"authorization")):
            call.answer(_unauthorized())
        elif inline:
            self._predict(_read(decoder, request), call)
        elif self.reader.pending + self.batcher.waiting > self._limits.waiting:
            call.done(Problem("too many large requests are waiting; ask again in a second", status=429))
        else:
            self.reader.put(partial(self._read_in_turn, decoder, request), partial(self._predict, call=call))

    def answered(self, call: _Call, response: Response) -> None:
        """Count and log one answered prediction."""
        self.in_flight -= 1
        seconds = perf_counter() - call.request.received_s
        self.counters.request(call.route, response.status)
        self.counters.prediction(response.status, seconds)
        self._access_log.answered(call.request, response, call.route, seconds)
        call.reply(response)

    def forwarded(self, call: _Call, response: Response) -> None:
        """Log one prediction that the canary answered, in whose Pod it is counted."""
        self.in_flight -= 1
        seconds = perf_counter() - call.request.received_s
        version = dict(response.headers)[VERSION].decode("ascii")
        self._access_log.answered(call.request, response, call.route, seconds, version)
        call.reply(response)

    def _read_in_turn(self, decoder: Decoder, request: Request) -> Work[Response] | Problem:
        if perf_counter() - request.received_s > self._limits.age_s:
            return Problem("the request waited too long to be read; ask again in a second", status=429)
        return _read(decoder, request)

    def _predict(self, work: Work[Response] | Problem, call: _Call) -> None:
        if isinstance(work, Problem):
            call.done(work)
        elif self.forwarder is not None:
            self.forwarder.predict(work, call)
        else:
            self.batcher.submit(work, call.done)

    def _answer_document(self, request: Request, reply: Reply, *, is_prediction: bool) -> None:
        route = self._routes.get(request.path, "other")
        if route != "health" and not self.admits(request.headers.get(b"authorization")):
            response = _unauthorized()
        else:
            response = self._document(request, is_prediction=is_prediction)
        self.counters.request(route, response.status)
        reply(response)

    def _document(self, request: Request, *, is_prediction: bool) -> Response:
        document = self._documents.get(request.path)
        if document is not None and request.method in ("GET", "HEAD"):
            return document()
        if document is not None or is_prediction:
            allowed = "POST" if is_prediction else "GET, HEAD"
            sentence = f"{request.method} is not answered at {request.path}; use {allowed}"
            return error(405, sentence, ((b"allow", allowed.encode("ascii")),))
        served = f'model "{self.endpoint.name}", version "{self.endpoint.version}"'
        return error(404, f"nothing is served at {request.path[:256]}; this server has {served}")

    def _health_ready(self) -> Response:
        if self.ready:
            return Response(200, b'{"ready":true}')
        body = orjson.dumps({"ready": False, "error": "the server is shutting down"})
        return Response(503, body, headers=RETRY_SOON)


class _Call:
    """One prediction request on its way."""

    __slots__ = ("app", "reply", "request", "route")

    def __init__(self, app: App, request: Request, reply: Reply, route: str) -> None:
        self.app = app
        self.request = request
        self.reply = reply
        self.route = route

    def done(self, result: Response | Problem) -> None:
        """Called once, with what the request is answered."""
        if isinstance(result, Problem):
            headers = RETRY_SOON if result.status in _RETRY else ()
            result = error(result.status, result.sentence, headers)
        self.answer(result)

    def answer(self, response: Response) -> None:
        """The same with a whole response."""
        self.app.answered(self, response)

    def forwarded(self, response: Response) -> None:
        """Called instead of `done` when the canary answered."""
        self.app.forwarded(self, response)


_SERVER = {"name": "modelwright", "version": __version__, "extensions": list(EXTENSIONS)}
_RETRY = frozenset({429, 503})


def _read(decoder: Decoder, request: Request) -> Work[Response] | Problem:
    """What a decoder makes of a request; raises nothing."""
    try:
        return decoder(request)
    except Problem as problem:
        return problem
    except Exception as failure:
        LOGGER.exception("a request could not be read")
        return model_failure(failure)


def _same(document: Response) -> Response:
    return document


def _unauthorized() -> Response:
    sentence = "a bearer token is needed: send `Authorization: Bearer <token>`"
    return error(401, sentence, ((b"www-authenticate", b"Bearer"),))

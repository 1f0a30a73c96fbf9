"""Which route answers: health and metrics at all times, the model's own routes once it is loaded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from time import perf_counter
from typing import TypeVar

import orjson

from modelwright_server import __version__
from modelwright_server.endpoint import Endpoint, Prepared
from modelwright_server.http_message import Request, Response, error
from modelwright_server.logs import fields
from modelwright_server.metrics import CONTENT_TYPE, Metrics
from modelwright_server.problems import Problem
from modelwright_server.worker_thread import WorkerThread

LOGGER = logging.getLogger(__name__)

INLINE_SECONDS = 0.005
"""A prediction that takes longer runs on the worker thread, so that health is answered meanwhile."""

INLINE_BODY_BYTES = 64 * 1024
"""A longer body is decoded on the worker thread too."""

Reply = Callable[[Response], None]
_T = TypeVar("_T")


class App:
    """The application of one process. Everything here runs on the event loop's thread but `_decode_and_run`."""

    def __init__(self, worker: WorkerThread, model: str, version: str) -> None:
        self.metrics = Metrics(model, version)
        self.draining = False
        self._worker = worker
        self._endpoint: Endpoint | None = None
        self._documents: dict[str, Callable[[], Response]] = {
            "/v2": self._server_metadata,
            "/v2/health/live": lambda: Response(200, b'{"live":true}'),
            "/v2/health/ready": self._health_ready,
            "/metrics": self._exposition,
        }
        self._predictions: dict[str, Callable[[Request], Prepared]] = {}
        self._routes = {"/v2": "server", "/v2/health/live": "live", "/v2/health/ready": "ready", "/metrics": "metrics"}

    @property
    def ready(self) -> bool:
        """True from the end of the warm-up until the drain begins."""
        return self._endpoint is not None and not self.draining

    def serve(self, endpoint: Endpoint) -> None:
        """Answer for `endpoint` from now on."""
        endpoint.settle_in_thread()
        self.metrics.name_model(endpoint.name, endpoint.version)
        for path, document in endpoint.documents().items():
            self._documents[path] = partial(Response, 200, document)
            self._routes[path] = endpoint.route_of(path)
        for path, decode in endpoint.predictions().items():
            self._predictions[path] = decode
            self._routes[path] = endpoint.route_of(path)
        self._endpoint = endpoint

    def refused(self, response: Response) -> None:
        """Count a request that could not be read."""
        self.metrics.count("unread", response.status)

    def handle(self, request: Request, reply: Reply) -> None:
        """Answer `request` by calling `reply` once, now or when its prediction is done."""
        metrics = self.metrics
        metrics.in_flight += 1
        route = self._routes.get(request.path, "other")

        def answer(response: Response) -> None:
            metrics.in_flight -= 1
            metrics.count(route, response.status)
            if response.rows:
                metrics.observe_prediction(perf_counter() - request.received_s, response.rows)
            if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR and route in ("infer", "predict"):
                request_id = request.request_id.decode("ascii")
                LOGGER.error("prediction failed", extra=fields(request_id=request_id, answer=response.body))
            reply(response)

        decode = self._predictions.get(request.path)
        if decode is not None and request.method == "POST":
            self._predict(request, decode, answer)
        else:
            answer(self._document(request, is_prediction=decode is not None))

    def _document(self, request: Request, *, is_prediction: bool) -> Response:
        document = self._documents.get(request.path)
        if document is not None and request.method in ("GET", "HEAD"):
            return document()
        if document is not None or is_prediction:
            allowed = "POST" if is_prediction else "GET, HEAD"
            sentence = f"{request.method} is not answered at {request.path}; use {allowed}"
            return error(405, sentence, ((b"allow", allowed.encode("ascii")),))
        return self._not_found(request.path)

    def _not_found(self, path: str) -> Response:
        asks_for_model = path.startswith("/v2/models/")
        if self._endpoint is None and asks_for_model:
            return error(503, "the model is still being loaded; ask again in a second", ((b"retry-after", b"1"),))
        if self._endpoint is not None and asks_for_model:
            served = f'model "{self._endpoint.name}", version "{self._endpoint.version}"'
            return error(404, f"nothing is served at {path[:256]}; this server has {served}")
        return error(404, f"nothing is served at {path[:256]}; GET /v2 says what this server is")

    def _predict(self, request: Request, decode: Callable[[Request], Prepared], answer: Reply) -> None:
        endpoint = self._endpoint
        assert endpoint is not None, "prediction routes exist only with an endpoint"
        if len(request.body) > INLINE_BODY_BYTES:
            self._submit(lambda: _guarded(lambda: decode(request).run()), answer)
            return
        prepared = _guarded(lambda: decode(request))
        if isinstance(prepared, Response):
            answer(prepared)
            return
        if endpoint.seconds_for(prepared.rows) <= INLINE_SECONDS:
            answer(_guarded(prepared.run))
        else:
            self._submit(lambda: _guarded(prepared.run), answer)

    def _submit(self, job: Callable[[], Response], answer: Reply) -> None:
        if not self._worker.submit(job, answer):
            self.metrics.rejected += 1
            answer(error(429, "too many predictions are waiting; ask again in a second", ((b"retry-after", b"1"),)))

    def _server_metadata(self) -> Response:
        return Response(200, orjson.dumps({"name": "modelwright", "version": __version__, "extensions": []}))

    def _health_ready(self) -> Response:
        if self.ready:
            return Response(200, b'{"ready":true}')
        reason = "the server is shutting down" if self.draining else "the model is still being loaded"
        return Response(503, orjson.dumps({"ready": False, "error": reason}))

    def _exposition(self) -> Response:
        return Response(200, self.metrics.exposition(ready=self.ready, queue=self._worker.pending), CONTENT_TYPE)


def _guarded(step: Callable[[], _T]) -> _T | Response:
    try:
        return step()
    except Problem as problem:
        return error(problem.status, problem.sentence)
    except Exception as failure:
        # Whatever a model raises ends one request, never the process.
        LOGGER.exception("the model failed")
        text = str(failure).strip().partition("\n")[0][:512]
        return error(500, f"the model failed on these rows: {type(failure).__name__}: {text}")
